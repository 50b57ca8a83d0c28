//! A short life of a shop in which every event but those of draws (see `draws`) happens once at
//! least.

use crate::writer::{START, Writer};
use doorbuster::domain::model::command::{
    Action, AdjustSku, Adjustment, Command, CreateOrder, DeleteSku, Patch, PatchSku, Precondition,
    PutSku, Refund, SkuChanges, SkuSettings, Take,
};
use doorbuster::domain::model::ids::{LineRequest, OrderId, SkuId, UserId};
use doorbuster::domain::model::settings::{Caps, Settings};

/// Small tables, and times that pass quickly.
pub(crate) fn settings() -> Settings {
    Settings {
        hold_ms_default: 10_000,
        idempotency_retain_ms: 60_000,
        orders_retain_ms: 120_000,
        caps: Caps {
            skus: 64,
            orders: 64,
            keys: 64,
            answers: 64,
            uses: 64,
            users: 64,
            draws: 64,
            entries: 64,
        },
        ..Settings::default()
    }
}

pub(crate) fn sku(id: &str) -> SkuId {
    SkuId::parse(id).expect("a SKU's id")
}

pub(crate) fn put(id: &str, stock: u64, per_user_limit: u64) -> Command {
    let settings = SkuSettings { per_user_limit, ..SkuSettings::default() };
    let precondition = Precondition::None;
    Command::PutSku(Box::new(PutSku { sku: sku(id), stock, settings, precondition }))
}

pub(crate) fn order(user: &str, id: &str, quantity: u32, take: Take) -> Command {
    Command::CreateOrder(CreateOrder {
        user: UserId::parse(user).expect("a user's id"),
        lines: [LineRequest { sku: sku(id), quantity }].into(),
        reference: Some("shop 17".into()),
        take,
    })
}

const HOLD: Take = Take::Hold(None);
const CONFIRM: Action = Action::Confirm { reacquire: false };

impl Writer {
    /// Asks for an order and gives its id.
    fn new_order(&mut self, user: &str, id: &str, quantity: u32, take: Take) -> OrderId {
        let key = u128::from(self.state.sequence) + 1_000;
        self.ask("shop", Some(key), order(user, id, quantity, take));
        OrderId { epoch: self.state.epoch, sequence: self.state.sequence }
    }

    fn act(&mut self, order: OrderId, action: Action) {
        self.ask("shop", None, Command::ActOnOrder(order, action));
    }
}

/// What the tests ask about.
pub(crate) struct Story {
    pub(crate) writer: Writer,
    /// Confirmed, shipped, completed, and one of its two units came back.
    pub(crate) sold: OrderId,
    /// Ran out, and was taken again.
    pub(crate) retaken: OrderId,
    /// Held over the restart.
    pub(crate) graced: OrderId,
    /// The sequence of the first snapshot.
    pub(crate) snapshot: u64,
}

impl Story {
    /// An order's id as clients see it.
    pub(crate) fn id(&self, order: OrderId) -> String {
        self.writer.id(order)
    }
}

/// Up to the point where the server was killed and came back; two snapshots, every order kept.
pub(crate) fn tell() -> Story {
    let mut writer = Writer::create(settings());
    let (mut sold, mut retaken) = (None, None);
    writer.turn(START + 1, |writer| {
        writer.ask("boss", None, put("A", 9, 3));
        writer.ask("boss", None, put("B", 4, 1));
        let order = writer.new_order("ann", "A", 2, HOLD);
        writer.ask("shop", Some(1), Command::ActOnOrder(order, CONFIRM));
        writer.ask("shop", Some(2), Command::ActOnOrder(order, CONFIRM));
        sold = Some(order);
    });
    let sold = sold.expect("a turn was taken");
    writer.turn(START + 2, |writer| {
        writer.act(sold, Action::Ship);
        writer.act(sold, Action::Complete);
        let lines = [LineRequest { sku: sku("A"), quantity: 1 }].into();
        let refund = Action::Refund(Refund { lines, restock: false });
        writer.ask("shop", Some(3), Command::ActOnOrder(sold, refund));
        retaken = Some(writer.new_order("bob", "A", 1, Take::Hold(Some(5_000))));
        let other = writer.new_order("cid", "A", 1, HOLD);
        writer.act(other, Action::Extend(15_000));
        writer.act(other, Action::Cancel);
        writer.new_order("dan", "A", 1, HOLD);
        writer.new_order("dan", "A", 100, HOLD);
        writer.new_order("eve", "B", 1, Take::Sell);
    });
    writer.snapshot();
    let snapshot = writer.state.sequence;
    let retaken = retaken.expect("a turn was taken");
    writer.turn(START + 5_001, |_| {});
    writer.turn(START + 6_000, |writer| {
        writer.act(retaken, CONFIRM);
        writer.act(retaken, Action::Confirm { reacquire: true });
        writer.ask("boss", Some(4), adjust(7));
        writer.ask("boss", None, patch());
        let slot = writer.state.skus.find(&sku("B")).expect("it is there");
        let precondition = Precondition::Version(Some(writer.state.skus[slot].version));
        let delete = DeleteSku { sku: sku("B"), precondition };
        writer.ask("boss", None, Command::DeleteSku(Box::new(delete)));
    });
    writer.seal();
    let mut graced = None;
    writer.turn(START + 7_000, |writer| {
        graced = Some(writer.new_order("fay", "A", 1, HOLD));
    });
    writer.snapshot();
    writer.kill();
    writer.restart(START + 30_000);
    writer.turn(START + 31_000, |writer| {
        writer.new_order("gus", "A", 1, Take::Sell);
    });
    Story { writer, sold, retaken, graced: graced.expect("a turn was taken"), snapshot }
}

fn adjust(delta: i64) -> Command {
    adjust_because(delta, "found \u{1b}[2J some".to_owned())
}

fn adjust_because(delta: i64, reason: String) -> Command {
    let (adjustment, precondition) = (Adjustment::Delta(delta), Precondition::None);
    Command::AdjustSku(Box::new(AdjustSku { sku: sku("A"), adjustment, reason, precondition }))
}

fn patch() -> Command {
    let changes = SkuChanges { hold_ms: Patch::Set(Some(9_000)), ..SkuChanges::default() };
    let precondition = Precondition::None;
    Command::PatchSku(Box::new(PatchSku { sku: sku("A"), changes, precondition }))
}

/// As `tell`, and then so long that keys and orders leave.
pub(crate) fn tell_to_the_end() -> Story {
    let mut story = tell();
    for after_ms in [100_000, 200_000, 400_000] {
        story.writer.turn(START + after_ms, |writer| {
            writer.act(OrderId { epoch: 1, sequence: 1 }, CONFIRM)
        });
    }
    story.writer.seal();
    story
}

/// A journal of several segments with a snapshot in the second and one in the third. The server is
/// gone.
pub(crate) fn tell_at_length() -> Writer {
    let mut writer = Writer::create(settings());
    writer.turn(START + 1, |writer| writer.ask("boss", None, put("A", 9, 0)));
    for turn in 1..=12 {
        let command = adjust_because(1, "x".repeat(60_000));
        writer.turn(START + 1 + turn, |writer| writer.ask("boss", None, command));
        if turn == 6 || turn == 10 {
            writer.snapshot();
        }
    }
    writer.seal();
    writer.kill();
    writer
}
