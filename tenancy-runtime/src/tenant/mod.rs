//! The plain types every room speaks: who a tenant is and where its data lives.
//!
//! Each type refuses bad values at construction, so that a value in hand is
//! always a valid one and nothing downstream checks again.

mod admitted;
mod id;
mod life;
mod locator;
mod metadata;
mod overrides;
mod receipt;
mod record;
mod slug;
mod status;
mod update;

pub use admitted::Tenant;
pub use id::{InvalidTenantId, TenantId};
pub(crate) use locator::OwnLogins;
pub use locator::{
    DatabaseAddress, DatabaseName, InvalidDatabaseName, InvalidHost, InvalidSchemaName, Locator,
    SchemaName,
};
pub use metadata::Metadata;
pub(crate) use metadata::{DEEPEST, MARK};
#[cfg(feature = "encryption")]
pub(crate) use metadata::{Sealed, shown};
pub use overrides::{Override, Overrides};
pub use receipt::Receipt;
pub(crate) use record::check_name;
pub use record::{NewTenant, TenantRecord};
pub use slug::{InvalidSlug, Slug};
pub use status::{InvalidStatus, TenantStatus};
pub use update::TenantUpdate;
