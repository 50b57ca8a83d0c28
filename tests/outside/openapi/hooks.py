"""What schemathesis cannot know: ids of things that exist, and rules that no schema can say.

Schema-valid requests get the ids of SKUs, orders and draws that were made for them, so that more
than refusals is tried; what was answered to which operation is counted for the test that runs this.
Requests that break the schema are sent as they are.
"""

import atexit
import collections
import itertools
import json
import os
import random

import jsonschema_rs
import requests
import schemathesis
from schemathesis.core import NOT_SET, NotSet
from schemathesis.generation import GenerationMode
from schemathesis.generation.meta import TestPhase

URL = os.environ["DOORBUSTER_URL"]
TOKEN = os.environ["DOORBUSTER_TOKEN"]
TALLY = os.environ["DOORBUSTER_TALLY"]
LINES = "application/x-ndjson"
# Enough for whatever is asked.
STOCK = 1_000_000_000_000

numbers = itertools.count(1)
session = requests.Session()
session.headers["Authorization"] = f"Bearer {TOKEN}"


def fresh(word):
    return f"{word}-{next(numbers)}"


def send(method, path, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    response = session.request(method, URL + path, json=body, headers=headers)
    assert response.ok, (method, path, response.text)
    return response.json()


def new_sku(stock=STOCK):
    return send("PUT", f"/v1/skus/{fresh('sku')}", {"stock": stock})["sku"]


SKUS = [new_sku() for _ in range(16)]
# Prizes cannot be ordered.
PRIZES = [new_sku() for _ in range(100)]


def new_order(*actions):
    """An order of many units of the first SKU, after these actions."""
    line = {"sku": SKUS[0], "qty": 1_000_000}
    body = {"user": fresh("user"), "lines": [line]}
    order = send("POST", "/v1/orders", body, Idempotency_Key=fresh("key"))
    for action in actions:
        send("POST", f"/v1/orders/{order['id']}/{action}")
    return order["id"]


def new_draw(*actions):
    draw = fresh("draw")
    prizes = [{"sku": PRIZES[0], "weight": 1}]
    send("PUT", f"/v1/draws/{draw}", {"prizes": prizes, "entries_per_user": 0, "confirm": True})
    for action in actions:
        send("POST", f"/v1/draws/{draw}/{action}")
    return draw


def new_key():
    key = fresh("key")
    body = {"user": fresh("user"), "lines": [{"sku": SKUS[1], "qty": 1}], "confirm": True}
    send("POST", "/v1/orders", body, Idempotency_Key=key)
    return key


def new_place():
    """The id of an event that just happened."""
    before = send("GET", "/v1/status")["seq"]
    new_key()
    return send("GET", f"/v1/events?after={before}")["next_after"]


# The value of a path's parameter that lets the operation succeed.
PATHS = {
    "getSku": new_sku,
    "patchSku": new_sku,
    "deleteSku": new_sku,
    "adjustSku": new_sku,
    "getOrder": new_order,
    "confirmOrder": new_order,
    "cancelOrder": new_order,
    "extendOrder": new_order,
    "shipOrder": lambda: new_order("confirm"),
    "completeOrder": lambda: new_order("confirm", "ship"),
    "refundOrder": lambda: new_order("confirm"),
    "getRequest": new_key,
    "getDraw": new_draw,
    "enterDraw": new_draw,
    "listEntries": new_draw,
    "closeDraw": new_draw,
    "deleteDraw": lambda: new_draw("close"),
}


def operation_id(case):
    return case.operation.definition.raw["operationId"]


def is_positive(case):
    return case.meta is None or case.meta.generation.mode == GenerationMode.POSITIVE


def whole(value):
    """To a schema 1.0 is an integer; the server takes only what looks like one."""
    if isinstance(value, dict):
        return {name: whole(member) for name, member in value.items()}
    if isinstance(value, list):
        return [whole(member) for member in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def name_apart(lines, skus):
    """Each SKU once, which no schema can say, and one that exists."""
    return [{**line, "sku": sku} for line, sku in zip(lines, skus)]


def in_order(body):
    """A window opens before it closes, which no schema can say."""
    if body.get("opens_at") and body.get("closes_at"):
        body["opens_at"], body["closes_at"] = "2026-01-01T00:00:00Z", "2099-01-01T00:00:00+01:00"
    # Instants that would be before 1970 or after 9999 in UTC.
    for name in ("opens_at", "closes_at"):
        if str(body.get(name)).startswith(("1970-01-01", "9999-12-31")):
            body[name] = "1970-01-01T00:00:00Z"


DICE = random.Random(1)


def new_line():
    """A line of a batch: one of several kinds, or nothing that a batch knows."""
    order = {"op": "order", "key": fresh("key"), "user": fresh("user"), "confirm": True}
    qty = DICE.randint(1, 1_000_000)
    return DICE.choice(
        [
            {**order, "lines": [{"sku": SKUS[2], "qty": qty}]},
            {**order, "lines": [{"sku": "nothing", "qty": qty}]},
            {"op": "confirm", "id": new_order()},
            {"op": "refund", "id": new_order()},
            {"op": "adjust", "key": fresh("key"), "sku": SKUS[3], "delta": -1, "reason": "lost"},
            {"op": "sku", "sku": fresh("sku"), "stock": qty},
            {"op": "entry", "key": fresh("key"), "draw": new_draw(), "user": fresh("user")},
            {"op": "pray"},
        ]
    )


def mend_body(case):
    body, name = case.body, operation_id(case)
    # Any text is a body, but few have lines that say something.
    if name == "runBatch" and case.meta and case.meta.phase.name != TestPhase.EXAMPLES:
        lines = (json.dumps(new_line()) for _ in range(DICE.randint(0, 9)))
        case.body = "".join(line + "\n" for line in lines)
    if not isinstance(body, dict):
        return
    body = whole(body)
    in_order(body)
    if name == "createOrder":
        body["lines"] = name_apart(body["lines"], SKUS)
    if name == "putDraw":
        body["prizes"] = name_apart(body["prizes"], PRIZES)
    if name == "refundOrder" and body.get("lines"):
        body["lines"] = name_apart(body["lines"][:1], SKUS)
        case.headers["Idempotency-Key"] = fresh("key")
    case.body = body


USED = set()


def key_of(case):
    """The key of a request, quoted or not; none if it has none."""
    key = (case.headers or {}).get("Idempotency-Key")
    return None if key is None else str(key).strip('"')


def mend_headers(case):
    headers, name = case.headers, operation_id(case)
    # Whatever is shorter may be over before the request is there.
    if "Request-Timeout-Ms" in headers:
        headers["Request-Timeout-Ms"] = "60000"
    # A key that was used is another request's.
    if key_of(case) in USED:
        headers["Idempotency-Key"] = fresh("key")
    if "If-Match" in headers or name in ("adjustSku", "deleteSku"):
        headers["If-Match"] = "*"
    if "If-None-Match" in headers:
        # A version that never was; what is put may ask that there be none.
        headers["If-None-Match"] = "*" if case.method == "PUT" else '"0"'
        if case.method == "PUT":
            headers.pop("If-Match", None)
    if headers.get("Last-Event-ID"):
        headers["Last-Event-ID"] = new_place()


# New, there already, new, …
TURNS = itertools.cycle([True, False])


def mend_path(case):
    name = operation_id(case)
    if name == "adjustSku" and isinstance(case.body, dict) and (case.body.get("delta") or 0) > 0:
        case.path_parameters["sku"] = new_sku(0)
    elif name in PATHS:
        [parameter] = case.path_parameters
        case.path_parameters[parameter] = PATHS[name]()
    # Another one each time, or one that is there, to be replaced.
    if name in ("putSku", "putDraw"):
        [parameter] = case.path_parameters
        if next(TURNS):
            case.path_parameters[parameter] = fresh("put")
            case.headers.pop("If-Match", None)
        else:
            case.path_parameters[parameter] = new_sku() if name == "putSku" else new_draw()
            case.headers.pop("If-None-Match", None)
            case.headers["If-Match"] = "*"


def mend_query(case):
    if "cursor" in case.query and operation_id(case) != "listSkus":
        case.query["cursor"] = new_order()
    if "after" in case.query and operation_id(case) == "getEvents":
        case.query["after"] = new_place()


@schemathesis.hook
def before_call(context, case, kwargs):
    if is_positive(case):
        mend_headers(case)
        mend_body(case)
        mend_query(case)
        # Links bring ids of their own.
        if case.meta is None or case.meta.phase.name != TestPhase.STATEFUL:
            mend_path(case)
    # Where a method has no body, whether one follows is in doubt: that is told before the method.
    if case.method not in ("POST", "PUT", "PATCH"):
        case.body = NOT_SET
    if key_of(case) is not None:
        USED.add(key_of(case))


@schemathesis.hook
def filter_case(context, case):
    # Headers that nobody knows are ignored, as HTTP says.
    if any(name.lower().startswith("x-schemathesis") for name in case.headers or {}):
        return False
    # To a batch everything is text.
    if operation_id(case) == "runBatch" and not isinstance(case.body, (str, NotSet)):
        return False
    # Where the body may be left out, null is as good as none. That is not in the schema, because
    # generators would make clients of it that cannot leave the body out.
    definition = case.operation.definition.raw
    return not (case.body is None and not definition.get("requestBody", {}).get("required", True))


@schemathesis.serializer(LINES)
def as_it_is(context, value):
    return str(value).encode()


ANSWERS = {}


@schemathesis.check
def each_line_is_of_its_schema(context, response, case):
    if operation_id(case) != "runBatch" or response.status_code != 200:
        return
    if not ANSWERS:
        document = session.get(URL + "/openapi.json").json()
        reference = {"$ref": "#/components/schemas/BatchAnswer"}
        shape = {"components": document["components"], **reference}
        ANSWERS["validator"] = jsonschema_rs.Draft202012Validator(shape)
    for line in response.content.decode().splitlines():
        ANSWERS["validator"].validate(json.loads(line))


@schemathesis.check
def each_problem_is_declared(context, response, case):
    """With its code among those of the answer, and no member that the one shape does not have."""
    if response.headers.get("content-type") != ["application/problem+json"]:
        return
    operation, problem = case.operation, response.json()
    known = operation.schema.raw_schema["components"]["schemas"]["Problem"]["properties"]
    assert known.keys() >= problem.keys(), problem
    # Methods that are not there are tried, too.
    if case.method.lower() == operation.method.lower():
        declared = operation.definition.raw["responses"].get(str(response.status_code), {})
        assert problem["code"] in declared["x-codes"], (operation.label, problem)


tally = collections.defaultdict(collections.Counter)


@schemathesis.hook
def after_call(context, case, response):
    tally[operation_id(case)][response.status_code] += 1


@atexit.register
def tell():
    with open(TALLY, "w") as file:
        json.dump(tally, file)
