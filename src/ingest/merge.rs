//! Merges a batch of deliveries into what one transaction writes.
//!
//! Called by `commit`. Pure: ids and the time come in. Changes to one user are merged by the
//! domain, deliveries of one message become one record. Users and messages are sorted, so that all
//! replicas lock rows in one order.

use crate::domain::{MergedChange, Timestamp};
use crate::provider::{Event, EventEffect};
use crate::store::RowDefaults;
use crate::store::batch::{Batch, DeliveryWrite, Disposition, UserWrite};
use std::collections::BTreeMap;

/// A delivery: its message id and its event.
pub(super) type BatchItem<'a> = (&'a str, &'a Event);

/// The merged changes of one user, and the item that won.
struct MergedUser<'a> {
    merged: MergedChange<'a>,
    winner: usize,
    index: usize,
}

/// `new_id` makes the id of a row that may turn out to be new.
pub(super) fn merge_batch<'a>(
    items: &[BatchItem<'a>],
    defaults: RowDefaults,
    now: Timestamp,
    new_id: impl Fn(&str) -> String,
) -> Batch<'a> {
    let mut users_by_id = merge_by_user(items);
    let sorted = users_by_id.iter_mut().enumerate().map(|(index, (external_id, entry))| {
        entry.index = index;
        UserWrite { id: new_id(external_id), merged: entry.merged.clone() }
    });
    let users = sorted.collect();
    let deliveries = list_messages(items, |item, event| disposition(&users_by_id, item, event));
    let RowDefaults { source, write_back, .. } = defaults;
    Batch { source, now, write_back, users, deliveries }
}

fn merge_by_user<'a>(items: &[BatchItem<'a>]) -> BTreeMap<&'a str, MergedUser<'a>> {
    let mut users_by_id: BTreeMap<&str, MergedUser<'_>> = BTreeMap::new();
    for (item, (_, event)) in items.iter().enumerate() {
        let EventEffect::Change(change) = &event.effect else {
            continue;
        };
        users_by_id
            .entry(change.external_id())
            .and_modify(|entry| {
                if entry.merged.fold(change) {
                    entry.winner = item;
                }
            })
            .or_insert_with(|| MergedUser {
                merged: MergedChange::of(change),
                winner: item,
                index: 0,
            });
    }
    users_by_id
}

fn disposition(
    users_by_id: &BTreeMap<&str, MergedUser<'_>>,
    item: usize,
    event: &Event,
) -> Option<Disposition> {
    let change = match &event.effect {
        EventEffect::Change(change) => change,
        EventEffect::Ignored(reason) => return Some(Disposition::Ignored(*reason)),
        EventEffect::Malformed(..) => return None,
    };
    let entry = users_by_id.get(change.external_id())?;
    Some(if entry.winner == item {
        Disposition::Winner(entry.index)
    } else if entry.merged.winner.is_deletion() {
        Disposition::DeletedInBatch(entry.index)
    } else {
        Disposition::Superseded(entry.index)
    })
}

/// Lists each message once, sorted by id. Of several deliveries of one message the first leads.
fn list_messages<'a>(
    items: &[BatchItem<'a>],
    disposition: impl Fn(usize, &Event) -> Option<Disposition>,
) -> Vec<DeliveryWrite<'a>> {
    let delivery = |(item, (message_id, event)): (usize, &BatchItem<'a>)| {
        let disposition = disposition(item, event)?;
        Some(DeliveryWrite { message_id, event_type: &event.event_type, disposition })
    };
    let mut deliveries: Vec<_> = items.iter().enumerate().filter_map(delivery).collect();
    deliveries.sort_by_key(|delivery| delivery.message_id);
    deliveries.dedup_by_key(|delivery| delivery.message_id);
    deliveries
}
