//! Who may do what (API 6): one table for routes and for the lines of a batch.
//!
//! Owns the roles and that table. A route names its permission before its body is read; the command
//! that was read names its permission again, so that a line of a batch, or a route with a wrong
//! row, gets the same answer. Never looks at whose order it is: that is `Reach`, in the domain.
//! Next: `tokens`, `routes`.

use crate::domain::model::command::{Command, Query, Reach};
use crate::domain::model::order::Verb;
use crate::http::response::problem::{Code, Problem, Refused};

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A client that shows no token, where none is needed.
    Anonymous,
    /// A shop that sells: its own orders.
    Buy,
    /// A warehouse: every principal's orders, once they are sold.
    Fulfil,
    /// What watches the server.
    Metrics,
    /// All of it.
    Admin,
}

/// What a request needs to be allowed; each request needs exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Permission {
    /// Any role will do: OPTIONS, or lines that are checked one by one.
    AnyRole,
    ReadSkus,
    ChangeSku,
    CreateOrder,
    ReadOrder,
    ListOrders,
    ListUserOrders,
    ReadRequest,
    OrderAction(Verb),
    ReadDraws,
    ChangeDraw,
    EnterDraw,
    /// Metrics, status, latency.
    ViewMetrics,
    /// What only operators do to the server itself.
    Administer,
    ReadFeed,
}

impl Permission {
    /// What a command needs.
    pub(in crate::http) fn of(command: &Command) -> Self {
        match command {
            Command::CreateOrder(_) => Self::CreateOrder,
            Command::ActOnOrder(_, action) => Self::OrderAction(action.verb()),
            Command::PutSku(_)
            | Command::PatchSku(_)
            | Command::AdjustSku(_)
            | Command::DeleteSku(_) => Self::ChangeSku,
            Command::PutDraw(_) | Command::CloseDraw(_) | Command::DeleteDraw(_) => {
                Self::ChangeDraw
            }
            Command::EnterDraw(_) => Self::EnterDraw,
            Command::Read(query) => match **query {
                Query::Sku(_) | Query::Skus { .. } => Self::ReadSkus,
                Query::Order(_) => Self::ReadOrder,
                Query::Orders { .. } => Self::ListOrders,
                Query::UserOrders { .. } => Self::ListUserOrders,
                Query::Remembered(_) => Self::ReadRequest,
                Query::Draw(_) | Query::Entries { .. } => Self::ReadDraws,
                Query::Status => Self::ViewMetrics,
            },
        }
    }

    /// Says whether it goes before orders and lists, as its command's `Rank` does; then it may use
    /// a bucket twice.
    pub(in crate::http) const fn is_urgent(self) -> bool {
        match self {
            Self::OrderAction(_) | Self::ChangeSku | Self::ChangeDraw => true,
            Self::ViewMetrics | Self::Administer | Self::ReadFeed => true,
            Self::AnyRole
            | Self::ReadSkus
            | Self::CreateOrder
            | Self::ReadOrder
            | Self::ListOrders
            | Self::ListUserOrders
            | Self::ReadRequest
            | Self::ReadDraws
            | Self::EnterDraw => false,
        }
    }

    /// The table: who may do it besides `admin`, who may do everything.
    pub(in crate::http) const fn roles(self) -> &'static [Role] {
        match self {
            Self::AnyRole => &[Role::Buy, Role::Fulfil, Role::Metrics],
            Self::ReadSkus => &[Role::Buy, Role::Fulfil],
            Self::ChangeSku => &[],
            Self::CreateOrder => &[Role::Buy],
            Self::ReadOrder => &[Role::Buy, Role::Fulfil],
            Self::ListOrders => &[],
            Self::ListUserOrders => &[Role::Buy],
            Self::ReadRequest => &[Role::Buy, Role::Fulfil],
            Self::OrderAction(Verb::Confirm | Verb::Cancel | Verb::Extend) => &[Role::Buy],
            Self::OrderAction(Verb::Ship | Verb::Complete | Verb::Refund) => &[Role::Fulfil],
            Self::ReadDraws => &[Role::Buy],
            Self::ChangeDraw => &[],
            Self::EnterDraw => &[Role::Buy],
            Self::ViewMetrics => &[Role::Metrics],
            Self::Administer => &[],
            Self::ReadFeed => &[],
        }
    }
}

impl Role {
    /// As the tokens file writes it.
    pub(in crate::http) fn parse(word: &str) -> Option<Self> {
        [Self::Buy, Self::Fulfil, Self::Metrics, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == word)
    }

    pub(in crate::http) const fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "nobody",
            Self::Buy => "buy",
            Self::Fulfil => "fulfil",
            Self::Metrics => "metrics",
            Self::Admin => "admin",
        }
    }

    /// Whose orders it sees and acts on.
    pub(in crate::http) const fn reach(self) -> Reach {
        match self {
            Self::Fulfil | Self::Admin => Reach::All,
            Self::Anonymous | Self::Buy | Self::Metrics => Reach::Own,
        }
    }

    /// Refuses what this role may not do.
    pub(in crate::http) fn allows(self, permission: Permission) -> Result<(), Refused> {
        if self == Self::Admin || permission.roles().contains(&self) {
            return Ok(());
        }
        let own = self.as_str();
        Err(Problem::new(Code::Forbidden, format!("the role {own} may not do this")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::question;
    use crate::ring::Rank;

    #[test]
    fn what_is_urgent_by_its_head_is_urgent_in_the_ring() {
        for text in [
            "POST /v1/orders/1-2/confirm",
            "POST /v1/orders/1-2/cancel {}",
            "PUT /v1/skus/s {\"stock\":1}",
            "DELETE /v1/draws/d",
            "GET /v1/status",
            "GET /v1/skus/s",
            "GET /v1/skus",
            "GET /v1/orders/1-2",
            "GET /v1/users/u/orders",
            "GET /v1/requests/k",
            "GET /v1/draws/d",
            "Idempotency-Key: k\nPOST /v1/orders {\"user\":\"u\",\"lines\":[{\"sku\":\"s\",\
             \"qty\":1}]}",
            "Idempotency-Key: k\nPOST /v1/draws/d/entries {\"user\":\"u\"}",
        ] {
            let command = question(text).request.command;
            let urgent = Rank::of(&command, false) == Rank::Urgent;
            assert_eq!(Permission::of(&command).is_urgent(), urgent, "{text}");
        }
    }
}
