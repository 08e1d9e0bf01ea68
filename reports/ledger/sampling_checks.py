"""Question on printed leads: are they larger than what chance gives on a test set of that size?"""

from reports import formats
from reports.data.rankings import gain, place
from reports.ledger.claim import Finding, question
from reports.ledger.evidence import Evidence, Source


@question
def beyond_chance(evidence: Evidence, where: Source, row: str, rival: str, column: str = "Mean") -> Finding | None:
    """A printed lead exceeds the interval of a difference of such scores, by the spread of known predictions.

    None where the predictions of no three methods are known.
    """
    ours, theirs = evidence.printed(where, row, column), evidence.printed(where, rival, column)
    found = next((ranking for ranking in evidence.rankings if ranking.place == place(ours)), None)
    if found is None:
        return None
    lead = gain(ours, theirs, found.spread)
    words = (
        f"On {found.spread.people:,} people a difference of such scores varies by ±{lead.expected:.1f} to "
        f"±{lead.widest:.1f} by chance (95 %, from {found.spread.methods} prediction files): "
        f"{row} − {rival} = {formats.signed(lead.difference, ours.decimals)} {_told(lead.larger)}."
    )
    return Finding("yes" if lead.larger else "undecided", words, (where,))


def _told(larger: bool | None) -> str:
    if larger:
        return "is larger than chance"
    return "is larger only if the two err on the same people" if larger is None else "is within chance"
