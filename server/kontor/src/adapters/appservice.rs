//! Application services, where the operator or an administrator says that they are.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use kontor_flows::appservice::Link;
use kontor_flows::appservice::link::{Call, Method, Reply};
use kontor_wire::{Ask, Outbound, Unheard};

/// The ways to application services as flows know them.
pub struct Services(pub Outbound);

impl Link for Services {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Reply> {
        async move {
            let authorization = format!("Bearer {}", call.token);
            let json = match call.body.map(|body| String::from_utf8(body.to_vec())) {
                None => None,
                Some(Ok(json)) => Some(json),
                Some(Err(_)) => return Reply::Unreachable("what is to be said is no text".to_owned()),
            };
            let ask = Ask {
                url: call.url,
                headers: &[("authorization", authorization.as_str())],
                put: call.method == Method::Put,
                json,
                time: call.time,
                most_bytes: call.most_bytes,
                redirects: 0,
            };
            match self.0.ask(&ask).await {
                Ok(answer) => Reply::Answer { status: answer.status, body: answer.body },
                Err(Unheard::Slow) => Reply::Slow,
                Err(error) => Reply::Unreachable(super::why(&error)),
            }
        }
        .boxed()
    }
}
