"""The ledger: every claim of the papers, in the order of their files."""

from reports.ledger.claims import across, chu2017, li2019, liu2018, nie2019, yang2017

CLAIMS = (
    *liu2018.CLAIMS,
    *chu2017.CLAIMS,
    *yang2017.CLAIMS,
    *li2019.CLAIMS,
    *nie2019.CLAIMS,
    *across.CLAIMS,
)
