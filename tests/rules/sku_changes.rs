//! SKUs: PUT, PATCH and adjust, their versions and preconditions. Deletion is in `sku_deletion`.
//! Next: `sku_deletion`.

use crate::scenario::check;

#[test]
fn a_put_creates_with_the_defaults_of_what_it_leaves_out() {
    check("
        0 sku A                           -> 404 unknown_sku A
          put A stock=1000                -> 201 total=1000 available=1000 held=0 sold=0 limit=0 version=now now=0
          put B stock=3 limit=1 group=g opens=5 closes=9 hold=70 paused direct -> 201 total=3 limit=1 opens=5 closes=9 hold=70 group=g paused direct version=now");
}

#[test]
fn an_identical_put_changes_nothing_and_needs_no_if_match() {
    check(
        "
        0 put A stock=5 limit=2           -> 201 version=now
          put B stock=1                   -> 201
          put A stock=5 limit=2           -> 200 total=5 version=before
          put A stock=5 limit=2 if=current -> 200 version=before
          put A stock=5 limit=2 if=1      -> 412 version_mismatch
          put A stock=5 limit=2 if=absent -> 412 version_mismatch",
    );
}

#[test]
fn any_other_put_replaces_all_and_needs_if_match() {
    check(
        "
        0 put A stock=5 limit=2 group=g paused -> 201
          put A stock=6                   -> 428 if_match_required
          put A stock=6 if=1              -> 412 version_mismatch
          put A stock=6 if=foreign        -> 412 version_mismatch
          put A stock=6 if=current        -> 200 total=6 limit=0 version=now
          put A stock=7 if=*              -> 200 total=7 version=now",
    );
}

#[test]
fn preconditions_of_an_absent_sku() {
    check(
        "
        0 put A stock=5 if=*              -> 412 version_mismatch absent
          put A stock=5 if=1              -> 412 version_mismatch absent
          put A stock=5 if=foreign        -> 412 version_mismatch absent
          put A stock=5 if=absent         -> 201 total=5
          put A stock=5 if=absent         -> 412 version_mismatch",
    );
}

#[test]
fn stock_is_all_units_ever_on_sale() {
    check(
        "
        0 put   A stock=5                 -> 201
          order u1 A*2 sell               -> 201 confirmed
          order u1 A*1                    -> 201 held
          put   A stock=2 if=*            -> 409 stock_below_committed held=1 sold=2
          put   A stock=3 if=*            -> 200 total=3 available=0 held=1 sold=2
          put   A stock=9 if=*            -> 200 total=9 available=6",
    );
}

#[test]
fn orders_move_no_version() {
    check(
        "
        0 put   A stock=5
          order u1 A*2                    -> 201 held as o
          sku   A                         -> 200 version=before
          put   A stock=7 if=current      -> 200 version=now
          confirm o
          refund o
          sku   A                         -> 200 version=before",
    );
}

#[test]
fn a_patch_changes_what_it_names_and_nothing_else() {
    check("
        0 put   A stock=5 limit=2 group=g opens=5 closes=9 hold=70 paused direct
          patch A limit=3                 -> 200 total=5 limit=3 opens=5 closes=9 hold=70 group=g paused direct version=now
          patch A limit=- group=- opens=- closes=- hold=- paused=- direct=- -> 200 total=5 available=5 held=0 sold=0 limit=0 version=now
          put   B stock=1
          patch A limit=0                 -> 200 version=before
          patch A                         -> 200 version=before
          patch A hold=9 if=current       -> 200 hold=9 version=now
          put   B stock=2 if=*
          patch A hold=9 if=*             -> 200 version=before
          patch A hold=8 if=1             -> 412 version_mismatch
          patch A hold=9 if=1             -> 412 version_mismatch
          patch NONE hold=9               -> 404 unknown_sku NONE");
}

#[test]
fn a_window_opens_before_it_closes() {
    check(
        "
        0 put   A stock=5 opens=10 closes=10  -> 422 invalid closes_at
          put   A stock=5 opens=10 closes=11  -> 201
          patch A closes=10                   -> 422 invalid closes_at
          patch A opens=11                    -> 422 invalid closes_at
          patch A opens=20 closes=21          -> 200 opens=20 closes=21
          put   A stock=5 opens=9 closes=3 if=* -> 422 invalid closes_at
          patch A opens=- closes=1            -> 200 closes=1",
    );
}

#[test]
fn an_adjustment_is_a_difference_or_with_if_match_a_total() {
    check(
        "
        0 put    A stock=5
          adjust A -2 key=1               -> 200 total=3 version=now
          adjust A +4 key=2               -> 200 total=7 version=now
          adjust A +4 if=1 key=3          -> 412 version_mismatch
          adjust A +4 if=current key=3    -> 200 total=11
          adjust A =100 key=4             -> 428 if_match_required
          adjust A =100 if=foreign key=4  -> 412 version_mismatch
          adjust A =100 if=current key=4  -> 200 total=100 version=now
          adjust A =100 if=* key=5        -> 200 total=100 version=before
          adjust NONE +1 key=6            -> 404 unknown_sku NONE",
    );
}

#[test]
fn an_adjustment_stays_between_what_is_committed_and_the_bound() {
    check(
        "
        0 put    A stock=5
          order  u1 A*2 sell
          order  u1 A*1
          adjust A -3 key=1               -> 409 stock_below_committed held=1 sold=2
          adjust A -9 key=1               -> 409 stock_below_committed held=1 sold=2
          adjust A =2 if=* key=1          -> 409 stock_below_committed held=1 sold=2
          adjust A -2 key=1               -> 200 total=3 available=0
          adjust A +1000000000000 key=2   -> 422 invalid delta
          adjust A +999999999997 key=2    -> 200 total=1000000000000
          order  u2 A*1000000             -> 201 held",
    );
}

#[test]
fn a_group_has_at_most_64_skus() {
    let members: String = (0..64).map(|at| format!("put S{at} stock=1 group=g -> 201\n")).collect();
    check(&format!(
        "0 {members}
           put   X stock=1 group=g        -> 422 invalid limit_group
           put   X stock=1                -> 201
           patch X group=g                -> 422 invalid limit_group
           put   X stock=1 group=g if=*   -> 422 invalid limit_group
           patch S0 limit=1               -> 200 limit=1 group=g
           put   S1 stock=2 group=g if=*  -> 200 total=2
           patch S2 group=other           -> 200
           patch X group=g                -> 200
           patch S2 group=g               -> 422 invalid limit_group
           delete S3 if=*                 -> 204
           patch S2 group=g               -> 200
           put   S3 stock=1 group=g       -> 422 invalid limit_group"
    ));
}
