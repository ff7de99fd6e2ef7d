"""Great Expectations at work: expectations on a table in, verdicts out, and verdicts as the result of a Dagster check.

What is expected of which data does not belong here (`positions.py`). Great Expectations is imported when it is first
used: it takes 5 s and 240 MB, which the processes that only load the definitions need not pay.
"""

import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import dagster as dg

NAME: Final = "name"  # the key of an expectation's `meta` that ties its result to it
_SAMPLES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one expectation."""

    name: str
    passed: bool
    observed: str
    unexpected: int  # rows that are not as expected
    sample: tuple[str, ...]  # a few of their values
    problem: str = ""  # why it could not be told


@contextmanager
def great_expectations() -> Iterator[Any]:
    """The library, kept from what it does to its host: usage reports, captured warnings, progress bars."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # it is read at import, and there is no other switch then
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it imports sre_constants
        import great_expectations as gx

        logging.captureWarnings(capture=False)  # it turned that on, and warnings would no longer be errors in tests
        yield gx


def judge_table(url: str, *, schema: str, table: str, expected: Sequence[Any]) -> list[Verdict]:
    """The verdict on each expectation over a whole table, in the order of `expected`.

    Name a leaf, not the partitioned table: the library's own time batches defeat pruning. Each expectation carries
    its name in `meta`. Raises where the table is missing.
    """
    with great_expectations() as gx:
        context = gx.get_context(mode="ephemeral")
        context.enable_analytics(enable=False)
        context.variables.progress_bars = {"globally": False}
        source = context.data_sources.add_postgres("history", connection_string=_sqlalchemy(url))
        try:
            asset = source.add_table_asset(table, table_name=table, schema_name=schema)
            batch = asset.add_batch_definition_whole_table("all").get_batch()
            suite = gx.ExpectationSuite(name=table, expectations=list(expected))
            results = batch.validate(suite, result_format="SUMMARY").results
        finally:
            source.get_engine().dispose()
    by_name = {result.expectation_config.meta[NAME]: result for result in results}
    return [_verdict(item.meta[NAME], by_name[item.meta[NAME]]) for item in expected]


def _sqlalchemy(url: str) -> str:
    """Our address for SQLAlchemy, with the driver named: bare ones mean another driver with each release."""
    return "postgresql+psycopg://" + url.partition("://")[2]


def _verdict(name: str, result: Any) -> Verdict:
    details: Mapping[str, Any] = result.result or {}
    problem = _exception(result.exception_info)
    unexpected = int(details.get("unexpected_count") or 0)
    rows = details.get("element_count")
    observed = details.get("observed_value", f"{unexpected} of {rows} rows are not" if rows is not None else "")
    return Verdict(
        name=name,
        passed=bool(result.success) and not problem,
        observed=str(observed),
        unexpected=unexpected,
        sample=tuple(str(value) for value in (details.get("partial_unexpected_list") or [])[:_SAMPLES]),
        problem=problem,
    )


def _exception(info: Mapping[str, Any] | None) -> str:
    """What was raised, if anything: the library answers with one object, or with one a metric."""
    if not info:
        return ""
    found = [info] if "raised_exception" in info else [i for i in info.values() if isinstance(i, Mapping)]
    return "; ".join(str(i.get("exception_message") or "unknown") for i in found if i.get("raised_exception"))


def evaluation(spec: dg.AssetCheckSpec, partition: str | None, verdicts: Sequence[Verdict]) -> dg.AssetCheckEvaluation:
    """The verdicts on one partition as one result of a check: passed where all passed.

    An evaluation and not an `AssetCheckResult`: a run over a range of partitions has one result for each of them,
    and only an evaluation can say for which.
    """
    failed = [verdict for verdict in verdicts if not verdict.passed]
    description = "; ".join(f"{v.name}: {v.problem or v.observed}" for v in failed)
    return dg.AssetCheckEvaluation(
        asset_key=spec.asset_key,
        check_name=spec.name,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR,
        blocking=spec.blocking,
        partition=partition,
        description=description or f"all {len(verdicts)} expectations hold",
        metadata={
            "expectations": dg.MetadataValue.table([_record(verdict) for verdict in verdicts], schema=_TABLE),
            "failed": len(failed),
            "table": partition or "",
        },
    )


_TABLE: Final = dg.TableSchema(
    [
        dg.TableColumn("expectation", "string"),
        dg.TableColumn("passed", "bool"),
        dg.TableColumn("observed", "string"),
        dg.TableColumn("unexpected rows", "int"),
        dg.TableColumn("sample", "string"),
    ]
)


def _record(verdict: Verdict) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "expectation": verdict.name,
            "passed": verdict.passed,
            "observed": verdict.problem or verdict.observed,
            "unexpected rows": verdict.unexpected,
            "sample": ", ".join(verdict.sample),
        }
    )
