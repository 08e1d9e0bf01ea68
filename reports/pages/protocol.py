"""The page of a protocol: its leaderboards, its conventions, constants, joints and variants."""

from bench.results.snapshot import Snapshot
from protocols import Protocol
from protocols.datasets import datasets_of
from protocols.pose.skeletons import Skeleton
from reports import formats
from reports.data.methods import methods
from reports.figures import skeleton
from reports.pages.page import Page, cell_path, tags
from reports.tables.leaderboards import Leaderboard, RankedCell, variants
from reports.tables.sheets import Entry, Heading, Piece, Sheet, absent, count, link, nothing, number
from reports.tables.side_columns import Column


def protocol_page(snapshot: Snapshot, name: str, boards: list[Leaderboard]) -> Page:
    """Leaderboards and rules of a protocol."""
    rules = snapshot.protocol[name]
    skeletons = [row for row in snapshot.skeletons if row.name in rules.skeletons]
    others = variants(snapshot, rules)
    drawings = [(row, skeleton.drawing(row)) for row in skeletons]
    context = {"rules": rules, "datasets": datasets_of(rules), "boards": boards, "skeletons": drawings}
    context["variants"] = others
    sheets = [leaderboard(board) for board in boards if board.entries]
    sheets += [_constants(rules), *map(_joints, skeletons), _variants(rules, others)]
    return Page(f"protocols/{formats.slug(name)}.html", "protocol.html", context, tuple(s for s in sheets if s.rows))


def leaderboard(board: Leaderboard) -> Sheet:
    """The entries of a leaderboard in its order; the headline with its interval."""
    first = " ".join(board.columns[0][:2]) if board.columns else ""
    names = [" ".join(part for part in (metric, part) if part != "all") for metric, part, _ in board.columns]
    units = [f" ({unit})" if unit and unit != metric else "" for metric, _, unit in board.columns]
    scores = tuple(map("".join, zip(names, units, strict=True)))
    others = tuple(f"{column.name} ({column.unit})" if column.unit else column.name for column in board.side)
    columns = ("rank", "worst rank", "network", *scores, "low", "high", *others,
               "n", "seed", "budget", "tags", "source", "state")  # fmt: skip
    where = formats.place(board.dataset, board.split)
    caption = f"{board.protocol.name}{f' on {where}' if where else ''}, ranked by {first}"
    rows = [_line(board, line) for line in board.entries]
    return Sheet(board.name, caption, columns, rows, _headings(board, scores, others))


def _headings(board: Leaderboard, scores: tuple[str, ...], others: tuple[str, ...]) -> tuple[Heading, ...]:
    """Headline and side columns first, then the other main columns; the rest is shown when asked for."""
    shown = [
        Heading(name, board.heading(metric, part), "" if unit in ("count", metric) else unit,
                look="more" if at >= board.main else "")
        for at, (name, (metric, part, unit)) in enumerate(zip(scores, board.columns, strict=True))
    ]  # fmt: skip
    side = [
        Heading(name, column.name, column.unit, column.meaning) for name, column in zip(others, board.side, strict=True)
    ]
    counted = Heading("n", meaning="what the headline value counts: joints, people, images", look="more")
    told = [Heading(name, look="more", filter=name) for name in ("source", "state")]
    rank, network, seed = Heading("rank"), Heading("network", names=True), Heading("seed", look="more")
    return (rank, network, *shown[:1], *side, *shown[1:], counted, seed, *told)


def _line(board: Leaderboard, line: RankedCell) -> tuple:
    cell, head = line.cell, line.head
    best, worst = line.rank
    rank = Entry(best, page=(Piece(formats.span(best, worst)),))
    scores = [_score(board, line, at) for at in range(len(line.scores))]
    ends = (number(head, "low"), number(head, "high"))
    source = "predictions" if line.external else "measured"
    seed = Entry(cell.seed, page=(nothing(),) if line.external else ())
    state = Entry(cell.state, page=(Piece(cell.state, "state"),))
    others = [_side_value(line, column) for column in board.side]
    return (rank, worst, _network(board, line), *scores, *ends, *others, count(head.n), seed, cell.budget,
            ", ".join(cell.tags), source, state)  # fmt: skip


def _network(board: Leaderboard, line: RankedCell) -> Entry:
    """Name of the network with the tags and conditions in which its cell differs from others of the table."""
    cell = line.cell
    marks = (
        [Piece("◆ authors’ predictions" if cell.method else "predictions from a file", "tag")] if line.external else []
    )
    marks += [Piece(cell.state, "tag state")] if cell.state != "fresh" else []
    told = [f"seed {cell.seed}"] if not line.external and cell.seed is not None else []
    told.append(f"n = {line.head.n:,}")
    told += ["a lower bound: some operators are not counted"] if line.lower_bound else []
    told += [f"{line.unanswered:,} joints without an answer"] if line.unanswered else []
    own = sorted(cell.conditions.tested.items())
    told += [f"{name} {text}" for name, text in own if board.common.get(name) != text]
    known = methods().get(cell.method)
    told = [known.short, *told] if known else told
    return link(cell.architecture, cell_path(cell), *marks, *tags(cell), Piece(" · ".join(told), "small"))


def _score(board: Leaderboard, line: RankedCell, at: int) -> Entry:
    score = line.scores[at]
    if not score:
        return absent("not measured")
    row, text = score.row, formats.shown(score.row)
    page = [Piece(text, "b" if score.best else "")]
    if not board.columns[at][2]:
        page.append(Piece(row.unit, "inline"))
    if at == 0 and row.interval:
        low, high = row.interval
        page.append(Piece(formats.interval(row), "small"))
        if row.unit == "%":
            page.append(Piece("", "bar", span=(low, high - low)))
    return Entry(row.value, text, page)


def _side_value(line: RankedCell, column: Column) -> Entry:
    """The number of the same network in another protocol."""
    row = line.side.get(column.name)
    if not row:
        why = "only predictions are known" if line.external else f"{column.protocol} not measured"
        return absent("not measured", why)
    text = formats.shown(row)
    interval = [Piece(formats.interval(row), "small")] if row.interval else []
    return Entry(row.value, text, (Piece(text, link=f"cells/{formats.slug(row.cell)}.html"), *interval))


def _joints(skeleton: Skeleton) -> Sheet:
    """The joints of a skeleton in their order, with their constants where there are any."""
    sigmas = skeleton.sigmas
    names = [Entry(name, page=(Piece(name.replace("_", " ")),)) for name in skeleton.joints]
    rows = [(at, name, *sigmas[at : at + 1]) for at, name in enumerate(names)]
    columns = ("index", "joint", "sigma") if sigmas else ("index", "joint")
    page = (Heading("index"), Heading("joint", names=True),
            Heading("sigma", meaning="constant of the object keypoint similarity"))[: len(columns)]  # fmt: skip
    return Sheet(f"joints-{skeleton.name}", f"Joints of {skeleton.name}", columns, rows, page)


def _constants(rules: Protocol) -> Sheet:
    """The constants of a protocol and where they come from."""
    rows = [(name, *known) for name, known in rules.constants.items()]
    return Sheet("constants", f"Constants of {rules.name}", ("constant", "value", "source"), rows)


def _variants(rules: Protocol, found: list[tuple[str, str, int]]) -> Sheet:
    """Other rules for the same thing."""
    rows = [(name, words, count(number)) for name, words, number in found]
    return Sheet("variants", f"Variants of {rules.name}", ("variant", "what it counts", "measurements"), rows)
