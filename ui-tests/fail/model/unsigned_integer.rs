use tenancy::prelude::*;

#[tenant_model]
pub struct Todo {
    pub id: u64,
    pub title: String,
    pub stars: Option<u32>,
}

pub async fn nothing_more_is_said(db: &mut TenantConn) -> Result<Todo> {
    let all: Vec<Todo> = Todo::query().order(todos::id).load(db).await?;
    TodoChanges::default().update(7, db).await?;
    Todo::delete(8, db).await?;
    let new = NewTodo {
        id: None,
        title: String::new(),
        stars: Some(all.len() as u32),
    };
    new.insert(db).await
}

fn main() {}
