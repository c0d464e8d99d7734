use tenancy::prelude::*;

#[tenant_handler(get, "todos")]
async fn no_slash() {}

#[tenant_handler(get, "/todos/:id")]
async fn old_parameter() {}

#[tenant_handler(get, "/files/*rest")]
async fn old_rest() {}

#[tenant_handler(get, "/todos/{id}/notes/{id}")]
async fn same_name_twice() {}

#[tenant_handler(get, "/files/{*rest}/meta")]
async fn rest_not_last() {}

#[tenant_handler(get, "/todos/{id")]
async fn unclosed() {}

#[tenant_handler(get, "/todos/{id}.json")]
async fn suffix() {}

#[tenant_handler(get, "/todos?done=true")]
async fn query() {}

fn main() {}
