//! The routes of users: list, count, get, create, update, delete, metadata and status.

use super::{RouteResult, json_body, json_response, parse_body};
use crate::directory::Entry;
use crate::directory::list::Query;
use crate::error::ApiError;
use crate::instance::events::deleted;
use crate::instance::{Instance, State};
use crate::settings::Outage;
use crate::user::{self, User, metadata};
use actix_web::HttpRequest;
use actix_web::web::{self, Bytes, Data, Path, ServiceConfig};
use serde_json::json;

/// What is reserved for a user of a page.
const TYPICAL_USER_BYTES: usize = 2_300;

pub(super) fn routes(config: &mut ServiceConfig) {
    let users = web::resource("/users").get(list).post(create);
    let user = web::resource("/users/{id}").get(get).patch(update).delete(delete);
    let metadata =
        web::resource("/users/{id}/metadata").patch(merge_metadata).put(replace_metadata);
    config
        .service(users)
        .service(web::resource("/users/count").get(count))
        .service(user)
        .service(metadata)
        .route("/users/{id}/{status}", web::post().to(set_status));
}

async fn list(request: HttpRequest, instance: Data<Instance>) -> RouteResult {
    let query = Query::read(request.query_string())?;
    let (page, generated) = {
        let State { directory, lists, counts, .. } = &mut *instance.lock();
        let page = query.page(directory);
        let arrivals = page.iter().map(Entry::arrival);
        lists.record(&mut counts.lists, request.query_string(), arrivals);
        (page, directory.generated())
    };
    let mut body = Vec::with_capacity(page.len() * TYPICAL_USER_BYTES);
    body.push(b'[');
    for (index, entry) in page.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        entry.write_json(&generated, &mut body);
    }
    body.push(b']');
    Ok(json_body(body))
}

async fn count(request: HttpRequest, instance: Data<Instance>) -> RouteResult {
    let query = Query::read(request.query_string())?;
    let count = query.count(&instance.lock().directory);
    Ok(json_response(&json!({"object": "total_count", "total_count": count})))
}

async fn get(id: Path<String>, instance: Data<Instance>) -> RouteResult {
    let user = instance.lock().directory.get(&id);
    user.map(|user| json_response(user.as_ref())).ok_or_else(|| ApiError::no_user(&id))
}

async fn create(instance: Data<Instance>, body: Bytes) -> RouteResult {
    let fields = parse_body(&body)?;
    let user = instance.create(|user, ids| user::fields::fill(user, &fields, ids))?;
    Ok(json_response(user.as_ref()))
}

async fn update(id: Path<String>, instance: Data<Instance>, body: Bytes) -> RouteResult {
    let fields = parse_body(&body)?;
    let user = instance.change(&id, |user, _| user::fields::update(user, &fields))?;
    Ok(json_response(user.as_ref()))
}

async fn delete(id: Path<String>, instance: Data<Instance>) -> RouteResult {
    let user = instance.delete(&id).ok_or_else(|| ApiError::no_user(&id))?;
    Ok(json_response(&deleted(&user)))
}

async fn merge_metadata(id: Path<String>, instance: Data<Instance>, body: Bytes) -> RouteResult {
    let fields = parse_body(&body)?;
    instance.count_metadata_write(&id);
    let is_kept = instance.lock().outage != Outage::UnkeptMetadata;
    let merge = |user: &mut User| if is_kept { metadata::merge(user, &fields) } else { Ok(()) };
    let user = instance.change(&id, |user, _| merge(user))?;
    Ok(json_response(user.as_ref()))
}

async fn replace_metadata(id: Path<String>, instance: Data<Instance>, body: Bytes) -> RouteResult {
    let fields = parse_body(&body)?;
    let user = instance.change(&id, |user, _| metadata::replace(user, &fields))?;
    Ok(json_response(user.as_ref()))
}

async fn set_status(path: Path<(String, String)>, instance: Data<Instance>) -> RouteResult {
    let (id, status) = path.into_inner();
    let apply: fn(&mut User) = match status.as_str() {
        "ban" => |user| user.banned = true,
        "unban" => |user| user.banned = false,
        "lock" => |user| user.lock(true),
        "unlock" => |user| user.lock(false),
        _ => return Err(ApiError::not_found(format!("There is no {status} of a user"))),
    };
    let user = instance.change(&id, |user, _| {
        apply(user);
        Ok(())
    })?;
    Ok(json_response(user.as_ref()))
}
