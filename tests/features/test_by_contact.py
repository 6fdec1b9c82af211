"""Contacts worked on block by block, by one thread or several: the same rows, byte for byte."""

import threading
from dataclasses import replace
from datetime import timedelta
from functools import partial

import ibis
import pyarrow as pa
import pytest
from feature_shop import FIRST, Shop, random_shop

from winback_features import by_contact
from winback_features.build import features_of
from winback_features.by_contact import in_blocks
from winback_features.contact_habits import habits_of
from winback_features.engine import threads_of
from winback_features.fact_queries import fact_queries, facts_of
from winback_features.in_order import in_order

CUT = FIRST + timedelta(days=120)


@pytest.mark.parametrize("shop", [random_shop(3), Shop()], ids=["a shop", "nobody"])
@pytest.mark.parametrize(
    "work", [partial(work, as_of=CUT) for work in (features_of, habits_of)], ids=["features", "habits"]
)
def test_blocks_by_any_number_of_threads_are_the_whole(shop_engine, shop, work, monkeypatch):
    facts = shop_engine.facts(shop, CUT)
    zones = [("Asia/Tokyo", None, "America/New_York")[place % 3] for place in range(len(facts.ids))]
    facts = replace(facts, zone=pa.array(zones, pa.string()), home="UTC")
    whole = work(facts)
    assert (whole.num_rows > 3) == bool(shop.orders)
    for contacts, threads in ((1, 1), (3, 2), (7, 3), (10**6, 2)):
        monkeypatch.setattr(by_contact, "CONTACTS_PER_BLOCK", contacts)
        blocks = list(in_blocks(work, facts, threads))
        assert len(blocks) == max(1, -(-len(facts.ids) // contacts))
        assert pa.concat_tables(blocks).equals(whole)


def test_several_threads_lay_out_what_one_does(shop_engine):
    queries = fact_queries(shop_engine.load(random_shop(4)), CUT)
    alone, several = (
        facts_of({name: query.to_pyarrow() for name, query in queries.items()}, threads) for threads in (1, 3)
    )
    assert several.ids.equals(alone.ids)
    assert several.categories.equals(alone.categories)
    assert features_of(several, CUT).equals(features_of(alone, CUT))
    assert habits_of(several, CUT).equals(habits_of(alone, CUT))


def test_an_error_in_a_block_comes_out(shop_engine, monkeypatch):
    facts = shop_engine.facts(random_shop(3), CUT)
    last = facts.ids[-1].as_py()
    monkeypatch.setattr(by_contact, "CONTACTS_PER_BLOCK", 2)

    def work(block):
        if last in block.ids.to_pylist():
            raise ValueError(last)
        return block.ids

    before = threading.active_count()
    with pytest.raises(ValueError, match=last):
        list(in_blocks(work, facts, threads=2))
    assert threading.active_count() == before


def test_results_come_in_order_and_an_error_comes_out():
    """The later items are done first, and still wait for their turn."""
    later = threading.Event()

    def work(n: int) -> int:
        if n == 0:
            assert later.wait(10)
        if n == 1:
            later.set()
        if n == 7:
            raise ValueError("seven")
        return n

    assert list(in_order(work, range(5), threads=2)) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="seven"):
        list(in_order(work, range(1, 20), threads=2))


@pytest.mark.parametrize("threads", [1, 2])
def test_as_many_threads_work_as_the_engine_has(threads):
    backend = ibis.duckdb.connect(threads=threads)
    assert threads_of(backend) == threads
    backend.disconnect()
