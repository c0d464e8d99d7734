//! The stages of a tenant's life and the steps between them:
//!
//! ```text
//! provisioning ──> active <──> suspended
//!                     │            │
//!                     └─> deleted <┘ ──> destroying ──> (a receipt)
//! ```
//!
//! Every step is here, as a change of the record that its caller holds locked.
//! A step that was taken before is no error, so that calls can be repeated; one
//! that leads from nowhere is a conflict that says what would.

use super::{Slug, TenantRecord, TenantStatus};
use crate::error::{Error, Result};

use TenantStatus::{Active, Deleted, Destroying, Provisioning, Suspended};

impl TenantRecord {
    /// Everything is there: the tenant may come in.
    pub(crate) fn provisioned(&mut self) -> Result<()> {
        match self.status {
            Provisioning => self.status = Active,
            Active => {}
            Suspended | Deleted | Destroying => return Err(self.refuse("provisioned")),
        }
        Ok(())
    }

    pub(crate) fn suspend(&mut self) -> Result<()> {
        match self.status {
            Active | Suspended => self.status = Suspended,
            Provisioning | Deleted | Destroying => return Err(self.refuse("suspended")),
        }
        Ok(())
    }

    pub(crate) fn activate(&mut self) -> Result<()> {
        match self.status {
            Active | Suspended => self.status = Active,
            Provisioning | Deleted | Destroying => return Err(self.refuse("activated")),
        }
        Ok(())
    }

    pub(crate) fn delete(&mut self) -> Result<()> {
        match self.status {
            Active | Suspended => {
                self.restores_to = Some(self.status);
                self.status = Deleted;
            }
            Deleted => {}
            Provisioning | Destroying => return Err(self.refuse("deleted")),
        }
        Ok(())
    }

    pub(crate) fn restore(&mut self) -> Result<()> {
        match self.status {
            // A tenant that was suspended when it was deleted stays kept out.
            Deleted => self.status = self.restores_to.take().unwrap_or(Suspended),
            Active | Suspended => {}
            Provisioning | Destroying => return Err(self.refuse("restored")),
        }
        Ok(())
    }

    pub(crate) fn destroy(&mut self) -> Result<()> {
        match self.status {
            Deleted | Destroying => {
                self.status = Destroying;
                self.restores_to = None;
            }
            Provisioning | Active | Suspended => return Err(self.refuse("destroyed")),
        }
        Ok(())
    }

    pub(crate) fn rename(&mut self, slug: &Slug) -> Result<()> {
        match self.status {
            Active | Suspended => self.slug = slug.clone(),
            Provisioning | Deleted | Destroying => return Err(self.refuse("renamed")),
        }
        Ok(())
    }

    pub(crate) fn refuse(&self, step: &str) -> Error {
        let slug = &self.slug;
        let (is, remedy) = match self.status {
            Provisioning => (
                "still being provisioned",
                "provision it again to finish that",
            ),
            Active => ("active", "delete it first"),
            Suspended => ("suspended", "delete it first"),
            Deleted => ("deleted", "restore it first"),
            Destroying => ("being destroyed", "destroy it again to finish that"),
        };
        Error::Conflict(format!(
            "the tenant `{slug}` is {is} and cannot be {step}: {remedy}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::{NewTenant, TenantId};

    type Step = fn(&mut TenantRecord) -> Result<()>;

    fn tenant(status: TenantStatus, restores_to: Option<TenantStatus>) -> TenantRecord {
        let new = NewTenant::new("acme-corp").unwrap();
        let mut record = TenantRecord::new(TenantId::generate(), new, None);
        (record.status, record.restores_to) = (status, restores_to);
        record
    }

    #[test]
    fn every_step_from_every_stage() {
        let stages = [Provisioning, Active, Suspended, Deleted, Destroying];
        let steps: [(&str, Step, [Option<TenantStatus>; 5]); 6] = [
            (
                "provisioned",
                TenantRecord::provisioned,
                [Some(Active), Some(Active), None, None, None],
            ),
            (
                "suspend",
                TenantRecord::suspend,
                [None, Some(Suspended), Some(Suspended), None, None],
            ),
            (
                "activate",
                TenantRecord::activate,
                [None, Some(Active), Some(Active), None, None],
            ),
            (
                "delete",
                TenantRecord::delete,
                [None, Some(Deleted), Some(Deleted), Some(Deleted), None],
            ),
            (
                "restore",
                TenantRecord::restore,
                [None, Some(Active), Some(Suspended), Some(Active), None],
            ),
            (
                "destroy",
                TenantRecord::destroy,
                [None, None, None, Some(Destroying), Some(Destroying)],
            ),
        ];
        for (name, step, results) in steps {
            for (from, to) in stages.into_iter().zip(results) {
                let mut record = tenant(from, (from == Deleted).then_some(Active));
                let before = record.clone();
                match (step(&mut record), to) {
                    (Ok(()), Some(to)) => {
                        assert_eq!(record.status, to, "{name} from {from}");
                        // Once more: nothing else happens.
                        let once = record.clone();
                        step(&mut record).unwrap();
                        assert_eq!(record, once, "{name} twice from {from}");
                    }
                    (Err(error), None) => {
                        assert_eq!(error.code(), "conflict");
                        assert_eq!(record, before, "{name} from {from}");
                    }
                    (outcome, _) => panic!("{name} from {from}: {outcome:?}"),
                }
            }
        }
    }

    #[test]
    fn a_tenant_suspended_before_it_was_deleted_is_restored_suspended() {
        for status in [Active, Suspended] {
            let mut record = tenant(status, None);
            record.delete().unwrap();
            record.delete().unwrap();
            record.restore().unwrap();
            assert_eq!((record.status, record.restores_to), (status, None));
        }
    }

    #[test]
    fn who_is_going_keeps_its_name() {
        let slug = "globex".parse().unwrap();
        for status in [Provisioning, Deleted, Destroying] {
            let refused = tenant(status, None).rename(&slug).unwrap_err();
            assert!(
                refused.to_string().contains("cannot be renamed"),
                "{refused}"
            );
        }
        let mut record = tenant(Active, None);
        record.rename(&slug).unwrap();
        assert_eq!(record.slug, slug);
    }
}
