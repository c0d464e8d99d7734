use tenancy::provision::Migration;

static MIGRATIONS: &[Migration] = tenancy::migrations!("migrations");

fn main() {
    assert!(MIGRATIONS.is_empty());
}
