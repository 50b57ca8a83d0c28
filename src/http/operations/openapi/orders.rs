//! `/v1/orders`, `/v1/users/{user}/orders` and `/v1/requests/{key}` in the contract (API 1, 3).

use super::operation::{Content, Operation};
use crate::http::response::problem::Code;
use serde_json::json;

const TAG: &str = "orders";

pub(super) fn operations() -> Vec<Operation> {
    vec![
        create(),
        list(),
        get(),
        confirm(),
        cancel(),
        extend(),
        ship(),
        complete(),
        refund(),
        of_user(),
        remembered(),
    ]
}

fn create() -> Operation {
    Operation::new(("post", "/v1/orders"), "createOrder", TAG, "Hold units, all lines or none")
        .says(
            "The hold runs out at `expires_at` unless it is confirmed before. The same request \
             under the same key is answered the same, byte for byte, for as long as keys are kept.",
        )
        .takes(&["IdempotencyKey"])
        .body(
            "OrderCreate",
            vec![
                ("one", json!({"user": "u1", "lines": [{"sku": "A", "qty": 1}]})),
                (
                    "cart",
                    json!({
                        "user": "u1", "lines": [{"sku": "A", "qty": 1}, {"sku": "B", "qty": 2}],
                        "hold_ms": 60_000, "confirm": false, "reference": "shop-17",
                    }),
                ),
                (
                    "sold at once",
                    json!({"user": "u1", "lines": [{"sku": "A", "qty": 1}], "confirm": true}),
                ),
            ],
        )
        .answers(
            201,
            "The units are the user's.",
            Content::Json("Order"),
            &["Location", "Idempotent-Replayed"],
        )
        .leads(&["getOrder", "confirmOrder", "extendOrder", "cancelOrder"], ("order", "id"))
        .begins()
        .recorded()
        .refuses(&[
            Code::IdempotencyKeyMissing,
            Code::IdempotencyKeyReused,
            Code::UnknownSku,
            Code::Closed,
            Code::NotOpen,
            Code::Paused,
            Code::DrawOnly,
            Code::UserLimit,
            Code::HoldLimit,
            Code::SoldOut,
            Code::Invalid,
            Code::Capacity,
        ])
}

fn list() -> Operation {
    Operation::new(("get", "/v1/orders"), "listOrders", TAG, "Page through all orders, by id")
        .says("A filtered page may be empty and still have a cursor.")
        .takes(&["Status", "OfSku", "Limit", "OrderCursor"])
        .answers(200, "A page.", Content::Json("OrderPage"), &[])
        .asked()
        .refuses(&[Code::Invalid, Code::Diverged])
}

fn get() -> Operation {
    Operation::new(("get", "/v1/orders/{order}"), "getOrder", TAG, "Look at an order")
        .says("Another principal's order is unknown, unless the role sees all of them.")
        .takes(&["Order"])
        .answers(200, "As it is.", Content::Json("Order"), &[])
        .asked()
        .refuses(&[Code::UnknownOrder])
}

fn action(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::new(("post", path), id, TAG, summary)
        .takes(&["Order", "OptionalKey"])
        .answers(200, "The order as it is now.", Content::Json("Order"), &["Idempotent-Replayed"])
        .recorded()
        .refuses(&[
            Code::UnknownOrder,
            Code::InvalidTransition,
            Code::IdempotencyKeyReused,
            Code::Capacity,
        ])
}

fn confirm() -> Operation {
    action("/v1/orders/{order}/confirm", "confirmOrder", "Sell what is held")
        .says(
            "With `\"if_expired\":\"reacquire\"` a hold that ran out takes its units again, if \
             they are there, and sells them in the same decision. An order that is confirmed \
             already stays as it is.",
        )
        .may_have_body(
            "Confirmation",
            vec![("plain", json!({})), ("take it again", json!({"if_expired": "reacquire"}))],
        )
        .leads(&["shipOrder", "refundOrder"], ("order", "id"))
        .refuses(&[
            Code::HoldExpired,
            Code::UnknownSku,
            Code::Paused,
            Code::DrawOnly,
            Code::UserLimit,
            Code::SoldOut,
            Code::Invalid,
        ])
}

fn cancel() -> Operation {
    action("/v1/orders/{order}/cancel", "cancelOrder", "Give a hold back")
        .says("An order that is cancelled or expired already stays as it is.")
        .may_have_body("Empty", vec![])
}

fn extend() -> Operation {
    action("/v1/orders/{order}/extend", "extendOrder", "Let a hold run out later")
        .says(
            "Never shortens; ends at the longest hold that the server allows. What would move \
             the deadline by less than a hundredth of the hold that is asked for, or by less than \
             100 ms (half of a hold shorter than 200 ms), leaves the order as it is.",
        )
        .body("Extension", vec![("a minute", json!({"hold_ms": 60_000}))])
        .refuses(&[Code::HoldExpired, Code::Invalid])
}

fn ship() -> Operation {
    action("/v1/orders/{order}/ship", "shipOrder", "Sold units left the house")
        .says("An order that is shipped or completed already stays as it is.")
        .may_have_body("Empty", vec![])
        .leads(&["completeOrder", "refundOrder"], ("order", "id"))
}

fn complete() -> Operation {
    action("/v1/orders/{order}/complete", "completeOrder", "Sold units arrived")
        .says("An order that is completed already stays as it is.")
        .may_have_body("Empty", vec![])
}

fn refund() -> Operation {
    action("/v1/orders/{order}/refund", "refundOrder", "Take sold units back")
        .says(
            "With `lines` a part, for which a key is required; without, all that is left. An order \
             that is refunded already stays as it is.",
        )
        .may_have_body(
            "Refund",
            vec![("all that is left", json!({})), ("off sale", json!({"restock": false}))],
        )
        .refuses(&[Code::IdempotencyKeyMissing, Code::Invalid])
}

fn of_user() -> Operation {
    Operation::new(
        ("get", "/v1/users/{user}/orders"),
        "listOrdersOfUser",
        TAG,
        "Page through a user's orders, newest first",
    )
    .says(
        "Those of the own principal. A page may be short, even empty, and still have a cursor, \
         where a thousand orders or more of others lie between.",
    )
    .takes(&["User", "Limit", "OrderCursor"])
    .answers(200, "A page.", Content::Json("OrderPage"), &[])
    .asked()
    .refuses(&[Code::Invalid, Code::Diverged])
}

fn remembered() -> Operation {
    Operation::new(
        ("get", "/v1/requests/{key}"),
        "getRequest",
        TAG,
        "What was answered under an idempotency key",
    )
    .says("Waits for a decision under way. 404: nothing was accepted as of `seq`; retry the key.")
    .takes(&["Key"])
    .answers(200, "The first answer, as it was.", Content::Json("Remembered"), &[])
    .asked()
    .refuses(&[Code::UnknownRequest])
}
