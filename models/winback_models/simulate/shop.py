"""The made-up shop, block by block: facts as tables of the contract, and the truth beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from winback_models.simulate.arrow import among, instants, texts
from winback_models.simulate.events import EVENTS_SCHEMA, events_table
from winback_models.simulate.orders import ORDERS_SCHEMA, orders_table
from winback_models.simulate.people import People, draw_people, draw_purchases
from winback_models.simulate.profiles import CONTACTS_SCHEMA, draw_profiles
from winback_models.simulate.surveys import draw_answers
from winback_models.simulate.trials import Trials, run_trials
from winback_models.simulate.truth import truth_table
from winback_models.simulate.world import BLOCK, World

CAMPAIGNS_SCHEMA = pa.schema(
    [
        ("contact_id", pa.string()),
        ("sent_at", pa.timestamp("us")),
        ("run_id", pa.string()),
        ("step", pa.int32()),
        ("channel", pa.string()),
        ("arm", pa.string()),
        ("incentive", pa.string()),
    ]
)
ANSWERS = 1
"""Number of the stream of chance that the survey answers with a reason are drawn from."""
TABLES = ("orders", "events", "contacts", "campaigns", "truth")


@dataclass(frozen=True)
class Block:
    """The tables of some contacts: `TABLES` are its attributes.

    Attributes
    ----------
    orders, events, contacts, campaigns : pyarrow.Table
        As the data contract has them.
    truth : pyarrow.Table
        From `winback_models.simulate.truth.truth_table`.
    """

    orders: pa.Table
    events: pa.Table
    contacts: pa.Table
    campaigns: pa.Table
    truth: pa.Table


def simulate(world: World) -> Iterator[Block]:
    """Yield the shop in blocks of contacts, in memory that does not grow with it.

    A contact's facts depend on the world's laws, the seed and its own number: the first contacts of a larger shop are the
    contacts of a smaller one.

    Parameters
    ----------
    world : World

    Yields
    ------
    Block

    Examples
    --------
    >>> (block,) = simulate(World(contacts=50, days=200, seed=1))
    >>> block.truth.num_rows, block.contacts.column_names[:2]
    (50, ['contact_id', 'email'])
    """
    for number in range(world.blocks):
        block = _block(world, number)
        left = world.contacts - number * BLOCK
        if left < BLOCK:
            known = block.contacts["contact_id"].slice(0, left)
            block = Block(*(_of(getattr(block, name), known) for name in TABLES))
        yield block


def _block(world: World, number: int) -> Block:
    rng = world.generator(number)
    people = draw_people(world, number, rng)
    who, when = draw_purchases(world, people, rng)
    profiles = draw_profiles(world, people, rng)
    trials = run_trials(world, people, profiles.mailed, who, when, rng)
    truth = truth_table(world, people, who, when)
    past = when < world.days
    who, when = (
        np.concatenate([who[past], trials.caused_who]),
        np.concatenate([when[past], trials.caused_when]),
    )
    order = np.lexsort((when, who))
    bought = who[order], when[order]
    orders = orders_table(world, people, *bought, rng)
    answers = draw_answers(world, people, profiles, world.generator(number, ANSWERS))
    events = events_table(world, people, profiles, bought, trials, answers, rng)
    return Block(orders, events, profiles.table, _campaigns(world, people, trials), truth)


def _campaigns(world: World, people: People, trials: Trials) -> pa.Table:
    """Write down who was drawn for a trial: the held-out as well, who got nothing."""
    n = len(trials.who)
    day = trials.day.astype(np.int64)
    arm = trials.treated.astype(np.int8)
    return pa.table(
        [
            texts("c", people.number[trials.who], 9),
            instants(world, trials.day, np.full(n, 10 * 3600)),
            texts("trial", day, 4),
            pa.array(np.ones(n, np.int32)),
            among(("email",), np.zeros(n, np.int8)),
            among(("holdout", "treatment"), arm),
            among(("none", "small"), arm),
        ],
        schema=CAMPAIGNS_SCHEMA,
    )


def _of(table: pa.Table, known: Any) -> pa.Table:
    """Keep the rows of the known contacts."""
    return table.filter(pc.is_in(table["contact_id"], value_set=known.combine_chunks()))


SCHEMAS = {
    "orders": ORDERS_SCHEMA,
    "events": EVENTS_SCHEMA,
    "contacts": CONTACTS_SCHEMA,
    "campaigns": CAMPAIGNS_SCHEMA,
}
"""Of every table but the truth, which brings its own."""
