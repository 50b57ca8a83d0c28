"""A whole sale over HTTP, with the package that openapi-python-client made of docs/openapi.json.

Run as `python sale.py URL TOKEN`, the package `doorbuster_client` being on the path; the last line
says what was done.
"""

import io
import json
import sys
import time

from doorbuster_client import AuthenticatedClient
from doorbuster_client.api.draws import close_draw, enter_draw, list_entries, put_draw
from doorbuster_client.api.orders import (
    confirm_order,
    create_order,
    get_events,
    get_order,
    get_request,
    list_orders,
    run_batch,
)
from doorbuster_client.api.skus import adjust_sku, list_skus, patch_sku, put_sku
from doorbuster_client.models import (
    AdjustmentBy,
    AdjustmentTo,
    BatchAnswer,
    BatchOrder,
    BatchOrderOp,
    BatchSku,
    BatchSkuOp,
    Code,
    DrawPut,
    EntryCreate,
    EntryOutcome,
    Line,
    Order,
    OrderCreate,
    OrderStatus,
    Prize,
    Problem,
    SkuPatch,
    SkuPut,
)
from doorbuster_client.types import UNSET, File

# Nothing here takes this long unless it is broken.
PATIENCE_S = 60

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2])


def taken(status, response):
    """The body of a success, which must be of a model."""
    assert response.status_code == status, (response.status_code, response.content)
    assert response.parsed is not None and not isinstance(response.parsed, Problem), response
    return response.parsed


def refused(code, response):
    """The one shape of errors, with this code."""
    problem = response.parsed
    assert isinstance(problem, Problem), (response.status_code, response.content)
    assert problem.code == code and problem.status == response.status_code, problem
    return problem


def put(sku, **settings):
    return taken(201, put_sku.sync_detailed(sku, client=client, body=SkuPut(**settings)))


def order(key, user, sku, quantity=1, **more):
    body = OrderCreate(user=user, lines=[Line(sku=sku, qty=quantity)], **more)
    return create_order.sync_detailed(client=client, body=body, idempotency_key=key)


def sell():
    """Units are held, sold, and given back when the hold runs out; then there are none."""
    phone = put("phone", stock=3, hold_ms=600_000)
    assert (phone.total, phone.available, phone.sold) == (3, 3, 0), phone
    first = taken(201, order("k-1", "u1", "phone"))
    assert first.status == OrderStatus.HELD and first.expires_at is not None, first
    again = order("k-1", "u1", "phone")
    assert taken(201, again).id == first.id and again.headers["Idempotent-Replayed"] == "true"
    sold = taken(200, confirm_order.sync_detailed(first.id, client=client))
    assert sold.status == OrderStatus.CONFIRMED, sold

    lost = taken(201, order("k-2", "u2", "phone", 2, hold_ms=50))
    expired(lost.id)
    refused(Code.HOLD_EXPIRED, confirm_order.sync_detailed(lost.id, client=client))

    taken(201, order("k-3", "u3", "phone", 2, confirm=True))
    none = refused(Code.SOLD_OUT, order("k-4", "u4", "phone"))
    [short] = none.lines
    assert (short.sku, short.available, short.held) == ("phone", 0, 0) and not none.retryable


def expired(order_id):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        now = taken(200, get_order.sync_detailed(order_id, client=client))
        if now.status == OrderStatus.EXPIRED:
            return
    raise AssertionError("the hold does not run out")


def adjust(key, body, tag=UNSET):
    return adjust_sku.sync_detailed(
        "phone", client=client, body=body, idempotency_key=key, if_match=tag
    )


def change():
    """The total and the settings change only for those who know what there is."""
    found = adjust("k-5", AdjustmentBy(delta=2, reason="found"))
    assert taken(200, found).total == 5
    recount = AdjustmentTo(stock=4, reason="recount")
    refused(Code.IF_MATCH_REQUIRED, adjust("k-6", recount))
    tag = found.headers["ETag"]
    assert taken(200, adjust("k-7", recount, tag)).total == 4
    refused(Code.VERSION_MISMATCH, adjust("k-8", recount, tag))
    paused = patch_sku.sync_detailed("phone", client=client, body=SkuPatch(paused=True))
    assert taken(200, paused).paused
    refused(Code.PAUSED, order("k-9", "u5", "phone"))


def draw():
    """A prize is drawn for, and the draw shows its seed."""
    put("prize", stock=5)
    terms = DrawPut(prizes=[Prize(sku="prize", weight=1)])
    made = taken(201, put_draw.sync_detailed("spring", client=client, body=terms))
    assert made.seed is None and len(made.commitment) == 64, made
    refused(Code.DRAW_ONLY, order("k-10", "u6", "prize"))
    luck = EntryCreate(user="u6", client_seed="my own luck")
    entry = taken(
        201, enter_draw.sync_detailed("spring", client=client, body=luck, idempotency_key="k-11")
    )
    assert entry.outcome == EntryOutcome.WON and entry.pick == "prize", entry
    taken(200, confirm_order.sync_detailed(entry.order.id, client=client))
    closed = taken(200, close_draw.sync_detailed("spring", client=client))
    assert len(closed.seed) == 64, closed
    page = taken(200, list_entries.sync_detailed("spring", client=client, limit=1))
    assert page.entries[0].order.status == OrderStatus.CONFIRMED, page


def batch():
    """Many commands in one request, each answered like its own."""

    def cups(key, user, quantity, **more):
        lines = [Line(sku="cup", qty=quantity)]
        return BatchOrder(op=BatchOrderOp.ORDER, key=key, user=user, lines=lines, **more)

    lines = [
        BatchSku(op=BatchSkuOp.SKU, sku="cup", stock=2),
        cups("b-1", "u7", 2, confirm=True),
        cups("b-2", "u8", 1),
        cups("b-1", "u7", 2, confirm=True),
    ]
    text = "".join(json.dumps(line.to_dict()) + "\n" for line in lines)
    response = run_batch.sync_detailed(client=client, body=File(io.BytesIO(text.encode())))
    told = taken(200, response).payload.read().decode()
    answers = [BatchAnswer.from_dict(json.loads(line)) for line in told.splitlines()]
    assert [answer.status for answer in answers] == [201, 201, 409, 201], told
    _, first, none, again = answers
    assert again.replayed and not first.replayed and again.body == first.body, told
    assert isinstance(first.body, Order), first
    assert isinstance(none.body, Problem) and none.body.code == Code.SOLD_OUT, none


def pages():
    """Pages are followed to their end."""
    skus, cursor = [], UNSET
    while cursor is not None:
        page = taken(200, list_skus.sync_detailed(client=client, limit=1, cursor=cursor))
        skus += [sku.sku for sku in page.skus]
        cursor = page.next_cursor
    assert skus == ["cup", "phone", "prize"], skus
    sold = list_orders.sync_detailed(client=client, status=OrderStatus.CONFIRMED, sku="phone")
    assert len(taken(200, sold).orders) == 2, sold
    events, after = 0, "0"
    while True:
        page = taken(200, get_events.sync_detailed(client=client, after=after, limit=4))
        if not page.events:
            break
        events, after = events + len(page.events), page.next_after
    assert events >= 14, events
    assert taken(200, get_request.sync_detailed("k-1", client=client)).status == 201


sell()
change()
draw()
batch()
pages()
print("the sale is done")
