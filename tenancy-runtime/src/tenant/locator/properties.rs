//! What holds for the name of every place, whoever thought of it.

use proptest::prelude::*;
use uuid::{Builder, Uuid, Variant, Version};

use super::{DatabaseName, Locator, SchemaName, TenantId};
use crate::db::DatabaseLogin;

fn tenant_id() -> impl Strategy<Value = TenantId> {
    any::<[u8; 16]>().prop_map(|bytes| {
        let uuid = Builder::from_bytes(bytes)
            .with_version(Version::SortRand)
            .with_variant(Variant::RFC4122)
            .into_uuid();
        TenantId::try_from(uuid).unwrap()
    })
}

/// The names, one for each kind of place, that are made for a tenant of its own.
fn names_of(id: TenantId) -> Vec<String> {
    let login = DatabaseLogin::from_template(&"postgres://app@db1/{database_name}".into());
    let Some(Locator::Database(address, schema)) = login.unwrap().place_for(id) else {
        panic!("a database");
    };
    vec![
        Locator::dedicated_schema(id).schema().to_string(),
        schema.to_string(),
        address.name().to_string(),
    ]
}

proptest! {
    #[test]
    fn a_tenant_s_own_name_leads_back_to_it(id in tenant_id()) {
        for name in names_of(id) {
            // PostgreSQL cuts nothing off, so the name is the whole of it.
            prop_assert!(name.len() <= 63, "{name}");
            prop_assert!(name.parse::<SchemaName>().is_ok(), "{name}");
            // An inverse: no two tenants have one name.
            let (_, uuid) = name.split_once('_').unwrap();
            prop_assert_eq!(uuid.parse::<Uuid>().unwrap(), id.as_uuid());
        }
    }

    #[test]
    fn a_template_keeps_tenants_apart_or_is_refused(
        before in "[a-zA-Z0-9_{}%-]{0,35}",
        after in "[a-z0-9_]{0,35}",
        ids in [tenant_id(), tenant_id()],
    ) {
        let template = format!("postgres://app@db1/{before}{{database_name}}{after}");
        let Ok(login) = DatabaseLogin::from_template(&template.into()) else {
            return Ok(());
        };
        let names = ids.map(|id| match login.place_for(id) {
            Some(Locator::Database(address, _)) => address.name().to_string(),
            _ => panic!("a database"),
        });
        prop_assert_eq!(names[0] == names[1], ids[0] == ids[1]);
        for name in &names {
            prop_assert!(name.len() <= 63 && name.parse::<DatabaseName>().is_ok(), "{name}");
        }
    }

    #[test]
    fn a_name_is_what_was_written_or_nothing(
        text in prop_oneof![
            any::<String>(),
            "[a-z_][a-z0-9_]{0,70}",
            "[a-zA-Z0-9_\"';. \\x00-]{0,70}",
            ("(pg_|public|tenan|tenant|tenancy|shared)", any::<String>())
                .prop_map(|(start, rest)| start + &rest),
        ]
    ) {
        match text.parse::<SchemaName>() {
            Ok(name) => {
                prop_assert_eq!(name.as_str(), &text);
                prop_assert!(text.len() <= 63);
                // Quoted, it is one identifier and nothing behind it.
                prop_assert_eq!(name.quoted(), format!("\"{text}\""));
                prop_assert!(text.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()));
            }
            Err(error) => {
                let message = error.to_string();
                prop_assert!(message.chars().count() < 1_100, "{}", message.len());
                prop_assert!(!message.contains(char::is_control), "{message:?}");
            }
        }
    }
}
