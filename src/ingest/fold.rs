//! A batch of deliveries becomes what one transaction writes.
//!
//! Pure: ids and the time come in. Several changes to one user are folded with the domain's
//! own merge, several deliveries of one message become one record; users and messages are
//! sorted, so that all replicas lock rows in one order.

use crate::domain::Merged;
use crate::provider::{Event, EventEffect};
use crate::store::Moment;
use crate::store::Terms;
use crate::store::batch::{Batch, DeliveryWrite, Standing, UserWrite};
use std::collections::HashMap;

/// A delivery as the fold sees it.
pub(super) type Item<'a> = (&'a str, &'a Event);

/// What is to be written, and which judgement answers which delivery.
pub(super) struct Folded<'a> {
    pub(super) batch: Batch<'a>,
    /// One place a delivery.
    pub(super) places: Vec<Place>,
}

/// Where a delivery's answer is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The place in `batch.deliveries`.
    pub(super) delivery: usize,
    /// The same message came earlier in the batch.
    pub(super) repeated: bool,
}

/// One user's changes, folded, and the item whose change won.
struct Entry<'a> {
    merged: Merged<'a>,
    winner: usize,
    place: usize,
}

/// Folds `items`; `new_id` makes the id of a row that may turn out to be new.
pub(super) fn fold<'a>(
    items: &[Item<'a>],
    terms: Terms,
    now: Moment,
    new_id: impl Fn(&str) -> String,
) -> Folded<'a> {
    let mut entries = merge_by_user(items);
    let mut external_ids: Vec<&str> = entries.keys().copied().collect();
    external_ids.sort_unstable();
    let mut users = Vec::with_capacity(entries.len());
    for (place, external_id) in external_ids.into_iter().enumerate() {
        if let Some(entry) = entries.get_mut(external_id) {
            entry.place = place;
            users.push(UserWrite { id: new_id(external_id), merged: entry.merged.clone() });
        }
    }
    let (deliveries, places) = list_messages(items, |item, event| standing(&entries, item, event));
    let Terms { source, write_back, .. } = terms;
    Folded { batch: Batch { source, now, write_back, users, deliveries }, places }
}

fn merge_by_user<'a>(items: &[Item<'a>]) -> HashMap<&'a str, Entry<'a>> {
    let mut entries: HashMap<&str, Entry<'_>> = HashMap::with_capacity(items.len());
    for (item, (_, event)) in items.iter().enumerate() {
        let EventEffect::Change(change) = &event.effect else {
            continue;
        };
        entries
            .entry(change.external_id())
            .and_modify(|entry| {
                if entry.merged.fold(change) {
                    entry.winner = item;
                }
            })
            .or_insert_with(|| Entry { merged: Merged::of(change), winner: item, place: 0 });
    }
    entries
}

fn standing(entries: &HashMap<&str, Entry<'_>>, item: usize, event: &Event) -> Option<Standing> {
    let change = match &event.effect {
        EventEffect::Change(change) => change,
        EventEffect::Ignored(reason) => return Some(Standing::Ignored(*reason)),
        EventEffect::Malformed(..) => return None,
    };
    let entry = entries.get(change.external_id())?;
    Some(if entry.winner == item {
        Standing::Winner(entry.place)
    } else if entry.merged.winner.is_deletion() {
        Standing::Outlived(entry.place)
    } else {
        Standing::Superseded(entry.place)
    })
}

/// Lists each message once, sorted by id, and for each item where its message stands.
fn list_messages<'a>(
    items: &[Item<'a>],
    standing: impl Fn(usize, &Event) -> Option<Standing>,
) -> (Vec<DeliveryWrite<'a>>, Vec<Place>) {
    let mut order: Vec<(usize, DeliveryWrite<'a>)> = items
        .iter()
        .enumerate()
        .filter_map(|(item, (message_id, event))| {
            let standing = standing(item, event)?;
            Some((item, DeliveryWrite { message_id, kind: &event.event_type, standing }))
        })
        .collect();
    // Of one message's deliveries the one that came first leads.
    order.sort_by_key(|(item, delivery)| (delivery.message_id, *item));
    let mut places = vec![Place { delivery: 0, repeated: false }; items.len()];
    let mut deliveries: Vec<DeliveryWrite<'a>> = Vec::with_capacity(order.len());
    for (item, delivery) in order {
        let repeated = deliveries.last().is_some_and(|last| last.message_id == delivery.message_id);
        if !repeated {
            deliveries.push(delivery);
        }
        if let Some(place) = places.get_mut(item) {
            *place = Place { delivery: deliveries.len() - 1, repeated };
        }
    }
    (deliveries, places)
}
