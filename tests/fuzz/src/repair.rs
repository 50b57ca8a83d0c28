//! Any journal that is refused, its repair, and power that goes in the middle of it: the repaired
//! journal is a prefix of what was written and ends where the plan says, the originals lie aside,
//! and a repair that was cut off can be made again and comes to the same. Next: `damage`,
//! `journal`.

use crate::bytes::Bytes;
use crate::damage::{Damaged, files};
use crate::journal::{check_going_on, check_prefix, read};
use doorbuster_journal::{JournalError, MemoryDisk, RepairPlan, plan_repair, repair as carry_out};

pub(crate) fn repair(input: &[u8]) {
    let mut bytes = Bytes::new(input);
    let calls = u32::from(bytes.byte());
    let damaged = Damaged::of(&mut bytes);
    let disk = &damaged.disk;
    let Ok(Some(plan)) = plan_repair(disk, None) else { return };
    let before = files(disk);
    let lost = plan.first_sequence_lost;
    let refused = carry_out(disk, &MemoryDisk::default(), &plan, lost + 1);
    assert!(matches!(refused, Err(JournalError::NotAccepted { .. })));
    assert_eq!(before, files(disk), "a loss that nobody accepted changes nothing");
    let copy = disk.after_power_loss(|_, _| true);
    let Some(whole) = repaired(&copy, &damaged, &plan, &before) else { return };
    cut_off(&damaged, &plan, calls, &whole);
}

/// The records of the repaired journal; none where a sector could not be read.
fn repaired(
    disk: &MemoryDisk,
    damaged: &Damaged,
    plan: &RepairPlan,
    before: &[(String, Vec<u8>)],
) -> Option<Vec<Vec<u8>>> {
    let quarantine = MemoryDisk::default();
    let repaired = match carry_out(disk, &quarantine, plan, plan.first_sequence_lost) {
        Ok(repaired) => repaired,
        Err(JournalError::Io { .. }) => return None,
        // Sectors that could not be read on the disk itself can on its copy.
        Err(JournalError::PlanOutdated) => return None,
        Err(error) => panic!("a plan that was accepted is carried out: {error}"),
    };
    let (scan, shown) = read(disk);
    let scan = scan.expect("a repaired journal is read");
    assert_eq!(scan, repaired.scan);
    assert_eq!(scan.last_sequence + 1, plan.first_sequence_lost, "it ends where the plan says");
    check_prefix(&shown, damaged);
    for (name, copy) in files(&quarantine) {
        let original = before.iter().find(|(own, _)| *own == name);
        assert!(original.is_some_and(|(_, bytes)| *bytes == copy), "{name} lies aside as it was");
    }
    for (name, bytes) in before {
        let kept = disk.contents(name).is_ok_and(|now| now == *bytes);
        assert!(kept || quarantine.contents(name).is_ok(), "{name} changed without a copy");
    }
    assert!(plan_repair(disk, None).expect("it is read").is_none(), "and needs no other repair");
    check_going_on(disk, scan, &shown);
    Some(shown)
}

/// Power goes after so many calls. Then it is refused as before, or repaired already.
fn cut_off(damaged: &Damaged, plan: &RepairPlan, calls: u32, whole: &[Vec<u8>]) {
    let disk = damaged.disk.after_power_loss(|_, _| true);
    let quarantine = MemoryDisk::default();
    disk.lose_power_after(calls);
    let first = carry_out(&disk, &quarantine, plan, plan.first_sequence_lost);
    let disk = disk.after_power_loss(|_, sector| sector % 3 != 0);
    let (scan, shown) = read(&disk);
    if first.is_ok() {
        assert!(scan.is_ok(), "what was reported repaired is");
    }
    if scan.is_err() {
        let again = plan_repair(&disk, None).expect("the same repair can be made again");
        let again = again.expect("it is refused as before");
        assert_eq!(again.first_sequence_lost, plan.first_sequence_lost);
        let done = carry_out(&disk, &quarantine, &again, again.first_sequence_lost);
        done.expect("into the same quarantine");
        assert!(read(&disk).1 == whole, "and comes to the same");
    } else {
        assert!(shown == whole, "it was repaired already");
    }
}
