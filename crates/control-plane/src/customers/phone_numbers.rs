//! The phone numbers of a customer.

use uuid::Uuid;
use voipbin_platform::{Entity, Number, NumberKind, NumberStatus, PhoneNumbers, SupportMetadata};

use super::mark_released;
use crate::{Control, ControlError};

impl Control {
    /// Returns the phone numbers of a customer, newest first.
    ///
    /// # Errors
    /// If there is no such customer.
    pub async fn phone_numbers(&self, customer: Uuid) -> Result<Vec<Number>, ControlError> {
        self.list_of::<PhoneNumbers>(customer).await
    }

    /// Adds a phone number, a plus and 1 to 15 digits, to a customer. `kind` is `normal` or `virtual`, `status` is
    /// `active` or `suspended`.
    ///
    /// # Errors
    /// If there is no such customer, or a value is not valid.
    pub async fn add_phone_number(
        &self,
        customer: Uuid,
        number: &str,
        kind: &str,
        status: &str,
    ) -> Result<Number, ControlError> {
        self.check_customer(customer)?;
        let digits = number.strip_prefix('+').unwrap_or_default();
        if digits.is_empty() || digits.len() > 15 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ControlError::invalid("number", "must be a plus and 1 to 15 digits"));
        }
        check_one_of("type", kind, &["normal", "virtual"])?;
        check_one_of("status", status, &["active", "suspended"])?;
        let _turn = self.platform.changes.lock().await;
        let make = || {
            let (id, at) = self.platform.new_id_and_time();
            let kind = NumberKind::from(kind);
            let bought = (kind == NumberKind::Normal).then_some(at);
            let public = Number {
                id,
                customer_id: customer,
                number: number.to_owned(),
                kind,
                call_flow_id: Uuid::nil(),
                message_flow_id: Uuid::nil(),
                name: String::new(),
                detail: String::new(),
                status: NumberStatus::from(status),
                t38_enabled: false,
                emergency_enabled: false,
                metadata: SupportMetadata::default(),
                tm_purchase: bought,
                tm_renew: bought,
                tm_create: Some(at),
                tm_update: None,
                tm_delete: None,
            };
            (Entity::<PhoneNumbers>::new(id, customer, at, public, ()), ())
        };
        let (number, ()) = self.add_to(customer, make).await?;
        Ok(number.public)
    }

    /// Removes a phone number from a customer.
    ///
    /// # Errors
    /// If the customer has no such number.
    pub async fn remove_phone_number(&self, customer: Uuid, number: Uuid) -> Result<(), ControlError> {
        let _turn = self.platform.changes.lock().await;
        let read = || self.entity_of::<PhoneNumbers>(customer, number, "phone number");
        let apply = |number: &mut Entity<PhoneNumbers>| {
            mark_released(number, self.platform.timestamps.next());
            Ok(())
        };
        Entity::<PhoneNumbers>::change(&*self.core.store, read, apply).await?;
        Ok(())
    }
}

fn check_one_of(field: &str, value: &str, allowed: &[&str]) -> Result<(), ControlError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(ControlError::invalid(field, format!("must be one of {}", allowed.join(", "))))
}
