"""Verdicts as Dagster shows them: one result of an asset check for one partition, a table with failing samples."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dagster as dg

from checks.expectations import Verdict

_TABLE: Final = dg.TableSchema(
    [
        dg.TableColumn("expectation", "string"),
        dg.TableColumn("passed", "bool"),
        dg.TableColumn("observed", "string"),
        dg.TableColumn("unexpected rows", "int"),
        dg.TableColumn("sample", "string"),
    ]
)


def evaluation(
    spec: dg.AssetCheckSpec,
    partition: str | None,
    verdicts: Sequence[Verdict],
    *,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    more: Mapping[str, Any] | None = None,
) -> dg.AssetCheckEvaluation:
    """The verdicts on one partition as one result of a check: passed where all passed.

    An evaluation and not an `AssetCheckResult`: a run over a range of partitions has one result for each of them,
    and only an evaluation can say for which.
    """
    failed = [verdict for verdict in verdicts if not verdict.passed]
    description = "; ".join(f"{verdict.name}: {verdict.told}" for verdict in failed)
    return dg.AssetCheckEvaluation(
        asset_key=spec.asset_key,
        check_name=spec.name,
        passed=not failed,
        severity=severity,
        blocking=spec.blocking and severity is dg.AssetCheckSeverity.ERROR,
        partition=partition,
        description=description or _all_is_well(verdicts),
        metadata={**_metadata(verdicts), **(more or {})},
    )


def result(verdicts: Sequence[Verdict], *, more: Mapping[str, Any] | None = None) -> dg.AssetCheckResult:
    """The verdicts as the result of a check that has no partitions."""
    failed = [verdict for verdict in verdicts if not verdict.passed]
    description = "; ".join(f"{verdict.name}: {verdict.told}" for verdict in failed)
    return dg.AssetCheckResult(
        passed=not failed,
        description=description or _all_is_well(verdicts),
        metadata={**_metadata(verdicts), **(more or {})},
    )


def _metadata(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    return {
        "expectations": dg.MetadataValue.table([_record(verdict) for verdict in verdicts], schema=_TABLE),
        "failed": sum(not verdict.passed for verdict in verdicts),
    }


def _all_is_well(verdicts: Sequence[Verdict]) -> str:
    if len(verdicts) == 1:
        return f"{verdicts[0].name}: {verdicts[0].told}"
    return f"all {len(verdicts)} expectations hold"


def _record(verdict: Verdict) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "expectation": verdict.name,
            "passed": verdict.passed,
            "observed": verdict.told,
            "unexpected rows": verdict.unexpected,
            "sample": "; ".join(_row(row) for row in verdict.sample),
        }
    )


def _row(row: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in row.items())
