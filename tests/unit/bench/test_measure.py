"""Percentiles, ratios within a round, and processor time."""

import math
import os
import subprocess
import sys
import time

import pytest

from bench.measure import Sample, Way, alternate, clocked, cpu_seconds, outcomes, percentile


def test_percentile_is_the_nearest_rank() -> None:
    values = list(range(1, 1001))
    assert percentile(values, 0.5) == 500
    assert percentile(values, 0.99) == 990
    assert percentile(values, 0.999) == 999
    assert percentile(values, 1.0) == 1000
    assert percentile([7.0], 0.001) == 7.0


def test_percentile_needs_no_order_and_no_values() -> None:
    assert percentile([3, 1, 2], 0.5) == 2
    assert math.isnan(percentile([], 0.5))


def test_a_ratio_is_taken_within_a_round() -> None:
    """A machine that is half as fast in one round changes both, and so no ratio."""
    ways = [Way("copy", "limit", Sample), Way("insert", "naive", Sample), Way("writer", "ours", Sample)]  # type: ignore[arg-type]
    samples = {
        "copy": [Sample(100, 1.0), Sample(100, 2.0), Sample(100, 9.0)],
        "insert": [Sample(100, 20.0), Sample(100, 40.0), Sample(100, 180.0)],
        "writer": [Sample(100, 1.25), Sample(100, 2.5), Sample(100, 11.25)],
    }
    copy, insert, writer = outcomes(ways, samples)
    assert copy.of_limit == 1.0
    assert writer.of_limit == pytest.approx(0.8)
    assert writer.of_naive == pytest.approx(16)
    assert insert.of_limit == pytest.approx(0.05)
    assert writer.rate == pytest.approx(40)
    assert writer.rates == [80, 40, 9]


def test_without_a_naive_way_there_is_no_ratio_to_it() -> None:
    ways = [Way("copy", "limit", Sample), Way("writer", "ours", Sample)]  # type: ignore[arg-type]
    found = outcomes(ways, {"copy": [Sample(10, 1.0)], "writer": [Sample(10, 2.0)]})
    assert [outcome.of_naive for outcome in found] == [None, None]


def test_ways_take_turns_and_each_round_begins_with_another() -> None:
    order: list[str] = []

    def way(name: str) -> Way:
        def run() -> Sample:
            order.append(name)
            return Sample(1, 1.0)

        return Way(name, "ours", run)

    alternate([way("a"), way("b"), way("c")], rounds=3)
    assert "".join(order) == "abcbcacab"


def test_clocked_counts_this_process() -> None:
    with clocked(1000) as sample:
        until = time.process_time() + 0.05
        while time.process_time() < until:
            pass
    assert sample.client_cpu_s >= 0.05
    assert sample.client_us >= 50
    assert sample.server_cpu_s == 0


def test_processor_time_of_a_tree_counts_what_its_children_used() -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass\n"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])\nprint(1, flush=True)\ninput()"
    words = [sys.executable, "-c", parent]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        used = cpu_seconds(process.pid)
        process.communicate(b"\n")
    assert used >= 0.2


def test_a_process_that_is_gone_has_used_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert cpu_seconds(process.pid) == 0
    assert cpu_seconds(os.getpid()) > 0
