//! What a transaction says: events, and what else the service asked to be told (application service
//! API, "Pushing events"; MSC3202 and MSC4203 for what its users' devices need).

use super::desk::{Desk, Look};
use super::devices::Devices;
use super::passing::Passing;
use kontor_model::appservice::Service;
use kontor_model::{Error, Nid, Pos, Result};
use kontor_rooms::service_view::ServiceEvent;
use serde::Serialize;
use serde_json::Value;

/// A transaction that was not given a name yet.
pub(super) struct Composed {
    /// What is sent.
    pub body: Vec<u8>,
    /// It holds everything up to here.
    pub to: Pos,
    /// Messages to devices that it takes along, as (user, position).
    pub handed_over: Vec<(Nid, i64)>,
}

#[derive(Serialize)]
struct Body<'a> {
    events: Vec<ServiceEvent<'a>>,
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    ephemeral: &'a [Value],
    /// The name before the specification had it.
    #[serde(rename = "de.sorunome.msc2409.ephemeral", skip_serializing_if = "<[Value]>::is_empty")]
    old_ephemeral: &'a [Value],
    #[serde(flatten)]
    devices: &'a Devices,
}

impl Desk {
    /// What a service is to be told of a part of the log and of what is not kept; `None` when there is
    /// nothing.
    pub async fn compose(
        &self,
        service: &Service,
        look: &Look,
        passing: &mut Passing,
    ) -> Result<Option<Composed>> {
        let ephemeral = match service.ephemeral {
            true => self.ephemeral(service, look, passing).await?,
            false => Vec::new(),
        };
        let (devices, handed_over) = self.devices(service, look).await?;
        if look.events.is_empty() && ephemeral.is_empty() && devices.is_empty() {
            return Ok(None);
        }
        let now = self.flows.clock.now();
        let event = |told: &'_ super::desk::Told| (told.row.clone(), told.room_id.clone());
        let events: Vec<_> = look.events.iter().map(event).collect();
        let body = Body {
            events: events.iter().map(|(row, room_id)| ServiceEvent { row, room_id, now }).collect(),
            ephemeral: &ephemeral,
            old_ephemeral: &ephemeral,
            devices: &devices,
        };
        let body = serde_json::to_vec(&body).map_err(Error::internal)?;
        Ok(Some(Composed { body, to: look.until, handed_over }))
    }
}
