"""Great Expectations at work: expectations on a table in; verdicts, and a page of Data Docs, out.

What is expected of which data does not belong here (`positions.py`, `flights.py`), nor how Dagster shows it
(`results.py`). Great Expectations is imported when it is first used: it takes 5 s and 240 MB, which the processes that
only load the definitions need not pay.
"""

import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

NAME: Final = "name"  # the key of an expectation's `meta` that ties its result to it
_SAMPLES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one expectation. `sample` are a few of the rows that are not as expected."""

    name: str
    passed: bool
    observed: str
    unexpected: int = 0  # rows that are not as expected
    sample: tuple[Mapping[str, Any], ...] = ()
    problem: str = ""  # why it could not be told

    @property
    def told(self) -> str:
        """What was seen, or why nothing was."""
        return self.problem or self.observed

    def as_failure(self) -> dict[str, Any]:
        """As `record_verdict` keeps it."""
        rows = [dict(row) for row in self.sample]
        return {"name": self.name, "observed": self.told, "unexpected": self.unexpected, "sample": rows}


@contextmanager
def great_expectations() -> Iterator[Any]:
    """The library, kept from what it does to its host: usage reports, captured warnings, progress bars."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # it is read at import, and there is no other switch then
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it imports sre_constants
        import great_expectations as gx

        logging.captureWarnings(capture=False)  # it turned that on, and warnings would no longer be errors in tests
        yield gx


def judge_table(
    url: str, *, schema: str, table: str, title: str, expected: Sequence[Any], identity: Sequence[str]
) -> tuple[list[Verdict], str]:
    """The verdict on each expectation over a whole table, in the order of `expected`; and the page that shows them.

    Name a table that holds no more than what is judged: the library's own time batches defeat pruning. Each expectation
    carries its name in `meta`; rows of a sample are told by the columns of `identity`. Raises where the table is
    missing.
    """
    with great_expectations() as gx:
        context = gx.get_context(mode="ephemeral")
        context.enable_analytics(enable=False)
        context.variables.progress_bars = {"globally": False}
        source = context.data_sources.add_postgres(schema, connection_string=_sqlalchemy(url))
        try:
            asset = source.add_table_asset(title, table_name=table, schema_name=schema)
            data = asset.add_batch_definition_whole_table("all")
            suite = context.suites.add(gx.ExpectationSuite(name=title, expectations=list(expected)))
            definition = context.validation_definitions.add(gx.ValidationDefinition(name=title, data=data, suite=suite))
            shown = {"result_format": "SUMMARY", "partial_unexpected_count": _SAMPLES}
            result = definition.run(result_format={**shown, "unexpected_index_column_names": list(identity)})
        finally:
            source.get_engine().dispose()
        page = _page(result)
    by_name = {each.expectation_config.meta[NAME]: each for each in result.results}
    return [_verdict(item.meta[NAME], by_name[item.meta[NAME]]) for item in expected], page


def _page(result: Any) -> str:
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    return str(DefaultJinjaPageView().render(ValidationResultsPageRenderer(run_info_at_end=True).render(result)))


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
        sample=tuple(_sample(details, str(result.expectation_config.kwargs.get("column", "value")))),
        problem=problem,
    )


def _sample(details: Mapping[str, Any], column: str) -> Iterator[dict[str, Any]]:
    """Rows with their identity where the library tells it, and else the values alone."""
    rows = details.get("partial_unexpected_index_list")
    if not rows:
        values = details.get("partial_unexpected_list") or []
        rows = [value if isinstance(value, Mapping) else {column: value} for value in values]
    for row in rows[:_SAMPLES]:
        yield {key: value if isinstance(value, int | float | None) else str(value) for key, value in row.items()}


def _exception(info: Mapping[str, Any] | None) -> str:
    """What was raised, if anything: the library answers with one object, or with one a metric."""
    if not info:
        return ""
    found = [info] if "raised_exception" in info else [i for i in info.values() if isinstance(i, Mapping)]
    return "; ".join(str(i.get("exception_message") or "unknown") for i in found if i.get("raised_exception"))
