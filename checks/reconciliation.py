"""The proof of an hour as verdicts: contradictions between the books make it red, what is only missing is told."""

from checks.expectations import Verdict
from flight_platform.history.reconciliation import Proof


def contradictions(proof: Proof) -> list[Verdict]:
    """Whether the books agree with each other."""
    if not proof.faults:
        counted = "it was not counted" if proof.counted is None else f"{proof.rows} rows, as many as it was given"
        return [Verdict(name="the books agree", passed=True, observed=counted)]
    return [Verdict(name=fault.rule, passed=False, observed=fault.seen) for fault in proof.faults]


def unproved(proof: Proof) -> list[Verdict]:
    """Whether it is proved that nothing is missing, as of which moment."""
    if not proof.missing:
        as_of = f"as of {proof.as_of:%Y-%m-%d %H:%M:%S} UTC" if proof.as_of else ""
        return [Verdict(name="nothing is missing", passed=True, observed=f"proved {as_of}".strip())]
    return [Verdict(name="nothing is missing", passed=False, observed=missing) for missing in proof.missing]
