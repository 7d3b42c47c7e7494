//! The endpoints of the API: their methods, paths and permissions.

use axum::http::Method;

/// An endpoint of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// The HTTP method in capital letters, such as `GET`.
    pub method: &'static str,
    /// The path below the version; a name in braces is the id of a record or its type.
    pub path: &'static str,
    /// The permission that the caller needs.
    pub needs: Needs,
    pub(crate) operation: Operation,
}

/// The permission that an endpoint needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Needs {
    /// The caller is a super admin of the platform.
    SuperAdmin,
    /// The caller is an admin of the customer, or a super admin that belongs to the customer.
    CustomerAdmin,
    /// The caller is an admin or a manager of the customer, or a super admin.
    CustomerAdminOrManager,
}

/// The handler of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    OwnConfig,
    UpdateOwnConfig,
    ListConfigs,
    CreateConfig,
    GetConfig,
    UpdateConfig,
    DeleteConfig,
    ListProviders,
    CreateProvider,
    SetUpProvider,
    GetProvider,
    UpdateProvider,
    DeleteProvider,
    SetCredentials,
    ForgetCredentials,
    ListRoutes,
    CreateRoute,
    GetRoute,
    UpdateRoute,
    DeleteRoute,
    ListProviderCalls,
    CreateProviderCall,
    GetProviderCall,
    DeleteProviderCall,
    ListCalls,
    CreateCalls,
    GetCall,
    DeleteCall,
    HangUpCall,
    ListEvents,
    AnalyseSip,
    CaptureFile,
    AggregateEvents,
    ListFlows,
    CreateFlow,
    GetFlow,
    UpdateFlow,
    DeleteFlow,
    RegenerateDirectHash,
    ListNumbers,
    GetNumber,
    UpdateNumber,
    UpdateNumberFlows,
    UpdateNumberMetadata,
    OwnCustomer,
    UpdateOwnCustomer,
    UpdateOwnMetadata,
    ListAccessKeys,
    CreateAccessKey,
    GetAccessKey,
    UpdateAccessKey,
    DeleteAccessKey,
}

impl Endpoint {
    /// Whether the handler's future may be dropped at any point: it writes nothing, or completes the steps after
    /// its write in a separate task.
    pub(crate) fn is_cancel_safe(&self) -> bool {
        let completes_in_task =
            matches!(self.operation, Operation::CreateCalls | Operation::CreateProviderCall);
        self.method == "GET" || completes_in_task
    }

    /// Whether the response is a page of records.
    pub(crate) fn is_list(&self) -> bool {
        matches!(
            self.operation,
            Operation::ListConfigs
                | Operation::ListProviders
                | Operation::ListRoutes
                | Operation::ListProviderCalls
                | Operation::ListCalls
                | Operation::ListEvents
                | Operation::AggregateEvents
                | Operation::ListFlows
                | Operation::ListNumbers
                | Operation::ListAccessKeys
        )
    }
}

const fn endpoint(method: &'static str, path: &'static str, needs: Needs, operation: Operation) -> Endpoint {
    Endpoint { method, path, needs, operation }
}

/// All endpoints below the version.
pub const ENDPOINTS: &[Endpoint] = {
    use Needs::{CustomerAdmin, CustomerAdminOrManager, SuperAdmin};
    use Operation as Op;
    &[
        endpoint("GET", "/outbound_config", CustomerAdmin, Op::OwnConfig),
        endpoint("PUT", "/outbound_config", CustomerAdmin, Op::UpdateOwnConfig),
        endpoint("GET", "/outbound_configs", SuperAdmin, Op::ListConfigs),
        endpoint("POST", "/outbound_configs", SuperAdmin, Op::CreateConfig),
        endpoint("GET", "/outbound_configs/{id}", SuperAdmin, Op::GetConfig),
        endpoint("PUT", "/outbound_configs/{id}", SuperAdmin, Op::UpdateConfig),
        endpoint("DELETE", "/outbound_configs/{id}", SuperAdmin, Op::DeleteConfig),
        endpoint("GET", "/providers", SuperAdmin, Op::ListProviders),
        endpoint("POST", "/providers", SuperAdmin, Op::CreateProvider),
        endpoint("POST", "/providers/setup", SuperAdmin, Op::SetUpProvider),
        endpoint("GET", "/providers/{id}", SuperAdmin, Op::GetProvider),
        endpoint("PUT", "/providers/{id}", SuperAdmin, Op::UpdateProvider),
        endpoint("DELETE", "/providers/{id}", SuperAdmin, Op::DeleteProvider),
        endpoint("PUT", "/providers/{id}/credentials", SuperAdmin, Op::SetCredentials),
        endpoint("DELETE", "/providers/{id}/credentials", SuperAdmin, Op::ForgetCredentials),
        endpoint("GET", "/routes", SuperAdmin, Op::ListRoutes),
        endpoint("POST", "/routes", SuperAdmin, Op::CreateRoute),
        endpoint("GET", "/routes/{id}", SuperAdmin, Op::GetRoute),
        endpoint("PUT", "/routes/{id}", SuperAdmin, Op::UpdateRoute),
        endpoint("DELETE", "/routes/{id}", SuperAdmin, Op::DeleteRoute),
        endpoint("GET", "/providercalls", SuperAdmin, Op::ListProviderCalls),
        endpoint("POST", "/providercalls", SuperAdmin, Op::CreateProviderCall),
        endpoint("GET", "/providercalls/{id}", SuperAdmin, Op::GetProviderCall),
        endpoint("DELETE", "/providercalls/{id}", SuperAdmin, Op::DeleteProviderCall),
        endpoint("GET", "/calls", CustomerAdminOrManager, Op::ListCalls),
        endpoint("POST", "/calls", CustomerAdminOrManager, Op::CreateCalls),
        endpoint("GET", "/calls/{id}", CustomerAdminOrManager, Op::GetCall),
        endpoint("DELETE", "/calls/{id}", CustomerAdminOrManager, Op::DeleteCall),
        endpoint("POST", "/calls/{id}/hangup", CustomerAdminOrManager, Op::HangUpCall),
        endpoint(
            "GET",
            "/timelines/{resource_type}/{resource_id}/events",
            CustomerAdminOrManager,
            Op::ListEvents,
        ),
        endpoint("GET", "/timelines/calls/{call_id}/sip-analysis", CustomerAdminOrManager, Op::AnalyseSip),
        endpoint("GET", "/timelines/calls/{call_id}/pcap", CustomerAdminOrManager, Op::CaptureFile),
        endpoint("GET", "/aggregated-events", CustomerAdminOrManager, Op::AggregateEvents),
        endpoint("GET", "/flows", CustomerAdminOrManager, Op::ListFlows),
        endpoint("POST", "/flows", CustomerAdminOrManager, Op::CreateFlow),
        endpoint("GET", "/flows/{id}", CustomerAdminOrManager, Op::GetFlow),
        endpoint("PUT", "/flows/{id}", CustomerAdminOrManager, Op::UpdateFlow),
        endpoint("DELETE", "/flows/{id}", CustomerAdminOrManager, Op::DeleteFlow),
        endpoint(
            "POST",
            "/flows/{id}/direct-hash-regenerate",
            CustomerAdminOrManager,
            Op::RegenerateDirectHash,
        ),
        endpoint("GET", "/numbers", CustomerAdminOrManager, Op::ListNumbers),
        endpoint("GET", "/numbers/{id}", CustomerAdminOrManager, Op::GetNumber),
        endpoint("PUT", "/numbers/{id}", CustomerAdminOrManager, Op::UpdateNumber),
        endpoint("PUT", "/numbers/{id}/flow_ids", CustomerAdminOrManager, Op::UpdateNumberFlows),
        endpoint("PUT", "/numbers/{id}/metadata", CustomerAdminOrManager, Op::UpdateNumberMetadata),
        endpoint("GET", "/customer", CustomerAdminOrManager, Op::OwnCustomer),
        endpoint("PUT", "/customer", CustomerAdmin, Op::UpdateOwnCustomer),
        endpoint("PUT", "/customer/metadata", CustomerAdmin, Op::UpdateOwnMetadata),
        endpoint("GET", "/accesskeys", CustomerAdmin, Op::ListAccessKeys),
        endpoint("POST", "/accesskeys", CustomerAdmin, Op::CreateAccessKey),
        endpoint("GET", "/accesskeys/{id}", CustomerAdmin, Op::GetAccessKey),
        endpoint("PUT", "/accesskeys/{id}", CustomerAdmin, Op::UpdateAccessKey),
        endpoint("DELETE", "/accesskeys/{id}", CustomerAdmin, Op::DeleteAccessKey),
    ]
};

/// The endpoint of a method and a path below the version, and the part of the path in place of the names in braces:
/// the id, or the type of a record, a slash and its id.
pub(crate) fn find<'a>(method: &Method, path: &'a str) -> Option<(&'static Endpoint, &'a str)> {
    let matched = |endpoint: &'static Endpoint| {
        let pattern = endpoint.path.split_once('{').zip(endpoint.path.rsplit_once('}'));
        let Some(((before, placeholders), (_, after))) = pattern else {
            return (endpoint.path == path).then_some((endpoint, ""));
        };
        let id = path.strip_prefix(before)?.strip_suffix(after)?;
        let segments = placeholders.strip_suffix(after)?.split('/').count();
        (id.split('/').count() == segments && id.split('/').all(|part| !part.is_empty()))
            .then_some((endpoint, id))
    };
    ENDPOINTS.iter().filter(|endpoint| endpoint.method == method.as_str()).find_map(matched)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_response_with_several_records_is_a_list() {
        for endpoint in ENDPOINTS {
            let path = endpoint.path;
            let is_about_one = path.contains('{') || ["/outbound_config", "/customer"].contains(&path);
            let has_several = endpoint.method == "GET" && (!is_about_one || path.ends_with("/events"));
            assert_eq!(endpoint.is_list(), has_several, "{} {path}", endpoint.method);
        }
    }

    #[test]
    fn paths_lead_to_their_endpoints() {
        let found = |method: Method, path| find(&method, path).map(|(found, id)| (found.operation, id));
        assert_eq!(found(Method::GET, "/providers"), Some((Operation::ListProviders, "")));
        assert_eq!(found(Method::GET, "/providers/7"), Some((Operation::GetProvider, "7")));
        assert_eq!(found(Method::POST, "/providers/setup"), Some((Operation::SetUpProvider, "")));
        assert_eq!(found(Method::POST, "/calls/7/hangup"), Some((Operation::HangUpCall, "7")));
        assert_eq!(
            found(Method::GET, "/timelines/calls/7/events"),
            Some((Operation::ListEvents, "calls/7")),
            "a type and an id"
        );
        assert_eq!(found(Method::GET, "/timelines/calls/7/pcap"), Some((Operation::CaptureFile, "7")));
        for (method, path) in [
            (Method::PATCH, "/providers"),
            (Method::GET, "/timelines/7/events"),
            (Method::GET, "/timelines/calls//events"),
            (Method::GET, "/timelines/calls/7/8/events"),
            (Method::GET, "/providers/"),
            (Method::GET, "/providers/7/8"),
            (Method::GET, "/calls/7/hangup"),
            (Method::PUT, "/providercalls/7"),
            (Method::GET, "/nosuch"),
        ] {
            assert_eq!(found(method, path), None, "{path}");
        }
    }
}
