"""Liu et al. 2018: inception of inception, attention over scales, cascaded joints. Ids A01 to A45."""

from reports.checks import best, gain, gains
from reports.claim import Claim, Verdict, conclude
from reports.known import Known
from reports.reruns import MPII, again, counted, equals

PAPER = "liu2018"
T1 = (PAPER, "Table 1")
BLOCKS = {"liu-res": 18, "liu-incep-res": 9, "liu-ioi": 3}


def a01(known: Known) -> Verdict:
    return conclude(gain(known, T1, "IOI", "Res", "Mean", 1.5), again(known, "liu-ioi", "liu-res", MPII))


def a02(known: Known) -> Verdict:
    rivals = ("liu-res", "liu-incep-res")
    return conclude(best(known, T1, "IOI"), *(again(known, "liu-ioi", rival, MPII) for rival in rivals))


def a03(known: Known) -> Verdict:
    return conclude(
        gains(known, T1, "IOI", "Res", {"Ank.": 2.8, "Wri.": 2.0}),
        again(known, "liu-ioi", "liu-res", MPII, "ankle"),
        again(known, "liu-ioi", "liu-res", MPII, "wrist"),
    )


CLAIMS = (
    Claim("A01", PAPER, "IOI is 1.5 points better overall than the residual baseline", "Table 1", "difference", a01),
    Claim("A02", PAPER, "IOI outperforms all other architectures", "Table 1", "ranking", a02),
    Claim("A03", PAPER, "IOI exceeds the residual block by 2.8 (ankle) and 2.0 (wrist)", "Table 1", "difference", a03),
)
