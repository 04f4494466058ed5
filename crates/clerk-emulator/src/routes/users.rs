//! Users over the Backend API.

use super::{RouteResult, json_response, parse_body};
use crate::directory::list::Query;
use crate::error::ApiError;
use crate::event;
use crate::instance::Instance;
use crate::user::{self, User, metadata};
use actix_web::HttpRequest;
use actix_web::web::{self, Bytes, Data, Path, ServiceConfig};
use serde_json::json;

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
    let page = query.page(&instance.lock().directory);
    let users: Vec<&User> = page.iter().map(AsRef::as_ref).collect();
    Ok(json_response(&users))
}

async fn count(request: HttpRequest, instance: Data<Instance>) -> RouteResult {
    let query = Query::read(request.query_string())?;
    let count = query.count(&instance.lock().directory);
    Ok(json_response(&json!({"object": "total_count", "total_count": count})))
}

async fn get(id: Path<String>, instance: Data<Instance>) -> RouteResult {
    let user = instance.lock().directory.get(&id).cloned();
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
    Ok(json_response(&event::deleted(&user)))
}

async fn merge_metadata(id: Path<String>, instance: Data<Instance>, body: Bytes) -> RouteResult {
    let fields = parse_body(&body)?;
    instance.count_metadata_write(&id);
    let user = instance.change(&id, |user, _| metadata::merge(user, &fields))?;
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
