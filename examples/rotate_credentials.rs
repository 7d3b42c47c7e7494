//! Generates new SIP credentials for a trunk, and shows the error for a trunk that has none.
//!
//! `cargo run -p trunk-examples --example rotate_credentials`

use didww_client::resources::{AuthenticationMethod, OnCliMismatchAction, VoiceOutTrunk};
use didww_client::values::{IpNetworks, TwilioAccountSid};
use didww_client::{Client, Error, Id, Secret};
use trunk_examples::{Outcome, Service};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let service = Service::from_environment().await?;
    run(&service.client).await
}

async fn run(client: &Client) -> Outcome {
    let trunks = client.voice_out_trunks();
    let own = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["203.0.113.7"])?);
    let twilio = AuthenticationMethod::twilio(TwilioAccountSid::new("AC22222222222222222222222222222222")?);
    let create = |name: &str, method| {
        trunks.create(VoiceOutTrunk::create(name, OnCliMismatchAction::RejectCall, method))
    };
    let own = create("Rotation example", own).await?;
    let twilio = create("Rotation example, Twilio", twilio).await?;

    let before = own.credentials().map(|(username, _)| username.to_owned());
    println!("before: {}", before.as_deref().unwrap_or("no credentials"));
    rotate(client, &own.id, |username, password| {
        // A real program passes `password.expose()` to its SIP stack. Printing hides the password.
        println!("after:  {username} with the password {password:?}");
    })
    .await?;

    match rotate(client, &twilio.id, |_, _| ()).await {
        Err(Error::Validation(refusal)) => println!("\nthe Twilio trunk has none to rotate:\n  {refusal}"),
        other => println!("\nthe Twilio trunk was not refused: {other:?}"),
    }

    for trunk in [own, twilio] {
        trunks.delete(&trunk.id).await?;
    }
    Ok(())
}

/// Rotates the credentials and passes the new ones to `store`. The old ones stop working at once.
async fn rotate(
    client: &Client,
    trunk: &Id<VoiceOutTrunk>,
    store: impl FnOnce(&str, &Secret),
) -> Result<(), Error> {
    let trunk = client.voice_out_trunks().regenerate_credentials(trunk).await?;
    if let Some((username, password)) = trunk.credentials() {
        store(username, password);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_example_runs_and_leaves_nothing_behind() {
        let service = Service::in_process().await.unwrap();
        run(&service.client).await.unwrap();
        assert_eq!(service.client.voice_out_trunks().list().await.unwrap().total, Some(0));
    }

    #[tokio::test]
    async fn both_username_and_password_change() {
        let service = Service::in_process().await.unwrap();
        let method = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["203.0.113.7"]).unwrap());
        let body = VoiceOutTrunk::create("A", OnCliMismatchAction::RejectCall, method);
        let trunk = service.client.voice_out_trunks().create(body).await.unwrap();
        let (old_name, old_password) = trunk.credentials().unwrap();
        rotate(&service.client, &trunk.id, |name, password| {
            assert_ne!(name, old_name);
            assert_ne!(password, old_password);
        })
        .await
        .unwrap();
    }
}
