//! Merges a batch of deliveries into what one transaction writes.
//!
//! Called by `commit`. Pure: ids and the time come in. Changes to one user are merged by the
//! domain, deliveries of one message become one record. Users and messages are sorted, so that all
//! replicas lock rows in one order.

use crate::domain::MergedChange;
use crate::provider::{Event, EventEffect};
use crate::store::Moment;
use crate::store::RowDefaults;
use crate::store::batch::{Batch, DeliveryWrite, Disposition, UserWrite};
use std::collections::HashMap;

/// A delivery: its message id and its event.
pub(super) type BatchItem<'a> = (&'a str, &'a Event);

/// What is to be written, and which result belongs to which delivery.
pub(super) struct MergedBatch<'a> {
    pub(super) batch: Batch<'a>,
    /// One per delivery.
    pub(super) slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Index into `batch.deliveries`.
    pub(super) delivery: usize,
    /// The same message came earlier in the batch.
    pub(super) repeated: bool,
}

/// The merged changes of one user, and the item that won.
struct MergedUser<'a> {
    merged: MergedChange<'a>,
    winner: usize,
    place: usize,
}

/// `new_id` makes the id of a row that may turn out to be new.
pub(super) fn merge_batch<'a>(
    items: &[BatchItem<'a>],
    defaults: RowDefaults,
    now: Moment,
    new_id: impl Fn(&str) -> String,
) -> MergedBatch<'a> {
    let mut users_by_id = merge_by_user(items);
    let mut external_ids: Vec<&str> = users_by_id.keys().copied().collect();
    external_ids.sort_unstable();
    let mut users = Vec::with_capacity(users_by_id.len());
    for (place, external_id) in external_ids.into_iter().enumerate() {
        if let Some(entry) = users_by_id.get_mut(external_id) {
            entry.place = place;
            users.push(UserWrite { id: new_id(external_id), merged: entry.merged.clone() });
        }
    }
    let (deliveries, slots) =
        list_messages(items, |item, event| disposition(&users_by_id, item, event));
    let RowDefaults { source, write_back, .. } = defaults;
    MergedBatch { batch: Batch { source, now, write_back, users, deliveries }, slots }
}

fn merge_by_user<'a>(items: &[BatchItem<'a>]) -> HashMap<&'a str, MergedUser<'a>> {
    let mut users_by_id: HashMap<&str, MergedUser<'_>> = HashMap::with_capacity(items.len());
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
                place: 0,
            });
    }
    users_by_id
}

fn disposition(
    users_by_id: &HashMap<&str, MergedUser<'_>>,
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
        Disposition::Winner(entry.place)
    } else if entry.merged.winner.is_deletion() {
        Disposition::DeletedInBatch(entry.place)
    } else {
        Disposition::Superseded(entry.place)
    })
}

/// Lists each message once, sorted by id, and the slot of each item.
fn list_messages<'a>(
    items: &[BatchItem<'a>],
    disposition: impl Fn(usize, &Event) -> Option<Disposition>,
) -> (Vec<DeliveryWrite<'a>>, Vec<Slot>) {
    let mut order: Vec<(usize, DeliveryWrite<'a>)> = items
        .iter()
        .enumerate()
        .filter_map(|(item, (message_id, event))| {
            let disposition = disposition(item, event)?;
            Some((item, DeliveryWrite { message_id, kind: &event.event_type, disposition }))
        })
        .collect();
    // Of several deliveries of one message the first leads.
    order.sort_by_key(|(item, delivery)| (delivery.message_id, *item));
    let mut slots = vec![Slot { delivery: 0, repeated: false }; items.len()];
    let mut deliveries: Vec<DeliveryWrite<'a>> = Vec::with_capacity(order.len());
    for (item, delivery) in order {
        let repeated = deliveries.last().is_some_and(|last| last.message_id == delivery.message_id);
        if !repeated {
            deliveries.push(delivery);
        }
        if let Some(place) = slots.get_mut(item) {
            *place = Slot { delivery: deliveries.len() - 1, repeated };
        }
    }
    (deliveries, slots)
}
