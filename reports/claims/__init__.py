"""The ledger: every claim of the papers, in the order of their files."""

from reports.claims import liu2018

CLAIMS = (*liu2018.CLAIMS,)
