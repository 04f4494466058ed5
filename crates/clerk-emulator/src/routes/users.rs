//! Users over the Backend API.

use super::{Answer, answer, fields};
use crate::directory::list::Query;
use crate::errors::Refusal;
use crate::event;
use crate::user::{self, User, metadata};
use crate::world::World;
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
        .route("/users/{id}/{standing}", web::post().to(set_standing));
}

async fn list(request: HttpRequest, world: Data<World>) -> Answer {
    let query = Query::read(request.query_string())?;
    let page = query.page(&world.lock().directory);
    let users: Vec<&User> = page.iter().map(AsRef::as_ref).collect();
    Ok(answer(&users))
}

async fn count(request: HttpRequest, world: Data<World>) -> Answer {
    let query = Query::read(request.query_string())?;
    let count = query.count(&world.lock().directory);
    Ok(answer(&json!({"object": "total_count", "total_count": count})))
}

async fn get(id: Path<String>, world: Data<World>) -> Answer {
    let user = world.lock().directory.get(&id).cloned();
    user.map(|user| answer(user.as_ref())).ok_or_else(|| Refusal::no_user(&id))
}

async fn create(world: Data<World>, body: Bytes) -> Answer {
    let fields = fields(&body)?;
    let user = world.create(|user, ids| user::fields::fill(user, &fields, ids))?;
    Ok(answer(user.as_ref()))
}

async fn update(id: Path<String>, world: Data<World>, body: Bytes) -> Answer {
    let fields = fields(&body)?;
    let user = world.change(&id, |user, _| user::fields::update(user, &fields))?;
    Ok(answer(user.as_ref()))
}

async fn delete(id: Path<String>, world: Data<World>) -> Answer {
    let user = world.delete(&id).ok_or_else(|| Refusal::no_user(&id))?;
    Ok(answer(&event::deleted(&user)))
}

async fn merge_metadata(id: Path<String>, world: Data<World>, body: Bytes) -> Answer {
    let fields = fields(&body)?;
    world.count_metadata_write(&id);
    let user = world.change(&id, |user, _| metadata::merge(user, &fields))?;
    Ok(answer(user.as_ref()))
}

async fn replace_metadata(id: Path<String>, world: Data<World>, body: Bytes) -> Answer {
    let fields = fields(&body)?;
    let user = world.change(&id, |user, _| metadata::replace(user, &fields))?;
    Ok(answer(user.as_ref()))
}

async fn set_standing(path: Path<(String, String)>, world: Data<World>) -> Answer {
    let (id, standing) = path.into_inner();
    let apply: fn(&mut User) = match standing.as_str() {
        "ban" => |user| user.banned = true,
        "unban" => |user| user.banned = false,
        "lock" => |user| user.lock(true),
        "unlock" => |user| user.lock(false),
        _ => return Err(Refusal::not_found(format!("There is no {standing} of a user"))),
    };
    let user = world.change(&id, |user, _| {
        apply(user);
        Ok(())
    })?;
    Ok(answer(user.as_ref()))
}
