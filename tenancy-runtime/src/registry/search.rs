use super::TenantRegistry;
use crate::error::Result;
use crate::tenant::{Slug, TenantRecord, TenantStatus};

/// How many tenants are looked at for one page of those that are searched.
pub(super) const MOST_LOOKED_AT: u32 = 10_000;

/// Which tenants are asked for: those to which all of it applies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantFilter {
    /// What stands in the slug or in the name, in whatever case of letters.
    pub search: Option<String>,
    /// The stage of life.
    pub status: Option<TenantStatus>,
    /// The plan that is stored with the tenant.
    pub plan: Option<String>,
    /// With `plan`: or none is stored, and the default plan is the one asked for.
    pub or_no_plan: bool,
}

impl TenantFilter {
    /// Whether it applies to all tenants.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.search.is_none() && self.status.is_none() && self.plan.is_none()
    }

    /// Whether it applies to a tenant.
    #[must_use]
    pub fn matches(&self, tenant: &TenantRecord) -> bool {
        let contains = |search: &String| {
            let search = search.to_lowercase();
            tenant.slug.as_str().contains(&search) || tenant.name.to_lowercase().contains(&search)
        };
        let on = |plan: &String| match &tenant.plan {
            Some(stored) => stored == plan,
            None => self.or_no_plan,
        };
        self.search.as_ref().is_none_or(contains)
            && self.status.is_none_or(|status| status == tenant.status)
            && self.plan.as_ref().is_none_or(on)
    }
}

/// Some of the tenants that were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantPage {
    /// They, in the order of their slugs.
    pub tenants: Vec<TenantRecord>,
    /// After which slug to go on; `None` when there are no more.
    pub next: Option<Slug>,
}

impl TenantPage {
    /// At most `limit` that were `found`; `last` is the last that was looked at, and
    /// whether there may be others behind it.
    pub(super) fn of(found: Vec<TenantRecord>, limit: u32, last: Option<(Slug, bool)>) -> Self {
        let next = last.and_then(|(last, more)| {
            let full = found.last().filter(|_| found.len() >= limit as usize);
            let after = full.map_or(&last, |full| &full.slug);
            (more || *after != last).then(|| after.clone())
        });
        Self {
            tenants: found,
            next,
        }
    }
}

/// For a store that only lists: looks at as many as are looked at for one page.
pub(super) async fn through_the_list<R: TenantRegistry + ?Sized>(
    registry: &R,
    filter: &TenantFilter,
    after: Option<&Slug>,
    limit: u32,
) -> Result<TenantPage> {
    const STEP: u32 = 1_000;
    let mut found = Vec::new();
    let mut last: Option<(Slug, bool)> = None;
    for _ in 0..MOST_LOOKED_AT / STEP {
        let from = last.as_ref().map(|(last, _)| last).or(after);
        let step = registry.list(from, STEP).await?;
        let more = step.len() >= STEP as usize;
        last = match step.last() {
            Some(end) => Some((end.slug.clone(), more)),
            None => last.map(|(last, _)| (last, false)),
        };
        found.extend(step.into_iter().filter(|tenant| filter.matches(tenant)));
        if !more || found.len() >= limit as usize {
            break;
        }
    }
    found.truncate(limit as usize);
    Ok(TenantPage::of(found, limit, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::MemoryRegistry;
    use crate::tenant::{NewTenant, TenantId};

    async fn registry(count: usize) -> MemoryRegistry {
        let registry = MemoryRegistry::new();
        for number in 0..count {
            let new = NewTenant::new(&format!("t{number:05}")).unwrap();
            let new = match number % 5_000 {
                4_999 => new.name("Acme 100%"),
                _ => new,
            };
            let record = TenantRecord::new(TenantId::generate(), new, None);
            registry.insert(&record, None, None).await.unwrap();
        }
        registry
    }

    #[tokio::test]
    async fn a_search_for_few_goes_page_by_page_and_looks_at_so_many_for_each() {
        let registry = registry(12_000).await;
        let filter = TenantFilter {
            search: Some("ACME 100%".to_owned()),
            ..TenantFilter::default()
        };
        let slugs = |page: &TenantPage| -> Vec<String> {
            let tenants = page.tenants.iter();
            tenants.map(|tenant| tenant.slug.to_string()).collect()
        };
        let first = registry.search(&filter, None, 5).await.unwrap();
        assert_eq!(slugs(&first), ["t04999", "t09999"]);
        assert_eq!(first.next.as_ref().map(Slug::as_str), Some("t09999"));
        let rest = registry
            .search(&filter, first.next.as_ref(), 5)
            .await
            .unwrap();
        assert_eq!((slugs(&rest), rest.next), (vec![], None));
        // A full page goes on after its last one.
        let one = registry.search(&filter, None, 1).await.unwrap();
        assert_eq!(slugs(&one), ["t04999"]);
        assert_eq!(one.next.as_ref().map(Slug::as_str), Some("t04999"));
        // What would be a wildcard elsewhere is itself here.
        let filter = TenantFilter {
            search: Some("Acme%".to_owned()),
            ..TenantFilter::default()
        };
        let none = registry.search(&filter, None, 5).await.unwrap();
        assert!(none.tenants.is_empty());
    }
}
