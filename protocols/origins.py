"""Where the constants of the protocols come from, and what their versions changed: data for their pages."""

# protocol -> constant -> (value, source)
CONSTANTS: dict[str, dict[str, tuple[str, str]]] = {
    "mpii-pckh": {
        "threshold": ("0.5 head sizes", "Andriluka et al. 2014; the MPII toolkit"),
        "head size": ("0.6 × the diagonal of the head box", "MPII toolkit, util_get_head_size (SC_BIAS)"),
        "joints": ("14 of 16", "MPII toolkit: no pelvis and no thorax"),
        "curve": ("0 to 0.5 in steps of 0.01", "MPII toolkit; 51 points, trapezoids for the AUC"),
        "validation people": ("2,958", "Tompson et al. 2015"),
    },
    "lsp-pck": {
        "threshold": ("0.2 torso lengths", "Yang and Ramanan 2013; the LSP toolkit of Pishchulin"),
        "torso": ("left shoulder to right hip", "LSP toolkit; evaluation code of Wei et al. 2016"),
        "curve": ("0 to 0.2 in steps of 0.01", "LSP toolkit"),
    },
    "lsp-pckh": {
        "threshold": ("0.5 head lengths", "as PCKh; the length is this suite's choice, LSP has no head boxes"),
        "head length": ("upper neck to head top", "this suite's choice; MPII's head size is 0.75 of it"),
    },
    "lsp-pcp": {
        "threshold": ("0.5 stick lengths", "Ferrari et al. 2008; the LSP toolkit of Pishchulin"),
        "sticks": ("10", "LSP toolkit"),
    },
    "coco-ap": {
        "OKS thresholds": ("0.50 to 0.95 in steps of 0.05", "pycocotools 2.0.11, Params.setKpParams"),
        "recalls": ("101", "pycocotools 2.0.11, Params.setKpParams"),
        "results an image": ("20", "pycocotools 2.0.11, Params.setKpParams"),
        "areas": ("medium 32² to 96², large from 96²", "pycocotools 2.0.11, Params.setKpParams"),
        "sigma of a joint": ("0.025 to 0.107", "pycocotools 2.0.11, kpt_oks_sigmas; listed with the joints below"),
        "rescoring": ("keypoint scores above 0.2", "HRNet's code (Sun et al. 2019), IN_VIS_THRE"),
        "OKS-NMS": ("0.9", "HRNet's code (Sun et al. 2019), OKS_THRE"),
    },
    "complexity": {
        "a multiply-accumulate": ("1 MAC", "common practice; papers' other rules are under Variants"),
        "gibi": ("2³⁰", "found by comparing counts with Li et al. 2019, tables 2 to 4"),
    },
    "init-variance": {
        "msr": ("Var[w] = 2 / fan-in", "He et al. 2015, equation 10"),
        "xavier": ("Var[w] = 2 / (fan-in + fan-out)", "Glorot and Bengio 2010, equation 12"),
        "branch-aware": ("Var[w] = 4 / (C_i n_i + C_o n_o)", "Yang et al. 2017, equation 15"),
        "seeds": ("5", "this suite's choice"),
        "side of an image": ("at most 128 pixels", "this suite's choice: variances hardly depend on it"),
    },
    "cifar10-error": {
        "test images": ("10,000", "Krizhevsky 2009"),
        "confidence": ("95 %, Wilson 1927", "this suite's choice"),
    },
    "speed": {
        "rounds": ("5 of 0.5 s", "this suite's choice"),
        "gain of a larger batch": ("5 %", "this suite's choice"),
    },
    "occluded-limb": {
        "disc": ("diameter 0.8 calves, one calf a person", "Liu et al. 2018, text at table 4"),
        "place and grain": ("middle of the calf, a pixel of a 256-pixel crop", "this suite's choice"),
        "threshold": ("0.5 head sizes", "PCKh, as in Liu et al. 2018, table 4"),
        "eligible": ("calves of at least half a head size", "this suite's choice"),
    },
    "receptive-field": {
        "P(r <= 1, 3, ..., 13)": ("cells of a block's input", "Liu et al. 2018, figure 4"),
        "r50, area50": ("half of the gradient", "this suite's numbers for Liu et al. 2018, figures 7 and 9"),
        "blur": ("sigma 4 pixels", "this suite's choice; the gradient after Luo et al. 2016"),
    },
}  # fmt: skip

# protocol -> version -> what changed with it; the page of a protocol shows them all.
CHANGES: dict[str, dict[int, str]] = {
    "mpii-pckh": {1: "First version: equal to the evaluation of HRNet's code on the 2,958 validation people."},
    "lsp-pck": {1: "First version: 90.50 for the published predictions of Wei et al. 2016."},
    "lsp-pckh": {1: "First version."},
    "lsp-pcp": {1: "First version: strict PCP, PCPm and loose PCP."},
    "coco-ap": {1: "First version: equal to pycocotools 2.0.11 to the last bit."},
    "complexity": {1: "First version: one traced pass; every operator is counted, listed as free, or an error."},
    "init-variance": {1: "First version."},
    "cifar10-error": {1: "First version."},
    "speed": {1: "First version."},
    "occluded-limb": {1: "First version."},
    "receptive-field": {1: "First version."},
}
