//! The settings of the health check.

use action::settings::faults::Faults;
use action::settings::given::Given;
use action::settings::guarded::Guarded;
use action::settings::value::{Count, Timeout};
use http_probe::{Headers, HttpUrl, Probe, Scheme, Statuses, Trust};

use super::checked::Health;
use super::values::Runtime;

/// Where an application answers unless told otherwise.
const HEALTH_URL: &str = "http://127.0.0.1:8001/collection";

/// The settings of the health check.
pub(super) struct HealthSettings {
    pub(super) url: Given<String>,
    pub(super) count: Given<Count>,
    pub(super) status: Given<Statuses>,
    pub(super) header: Given<Guarded<Headers>>,
    pub(super) body: Given<String>,
    pub(super) ca: Given<String>,
}

impl HealthSettings {
    pub(super) fn check(
        self,
        faults: &mut Faults,
        runtime: Option<Runtime>,
        timeout: Option<Timeout>,
    ) -> Option<Option<Health>> {
        let default = if runtime == Some(Runtime::None) {
            "none"
        } else {
            HEALTH_URL
        };
        let url = faults
            .optional("health_url", self.url)
            .unwrap_or_else(|| default.to_owned());
        let count = faults.required("health_count", self.count);
        let statuses = faults.required("health_status", self.status);
        let headers = faults.optional("health_header", self.header);
        let body = faults.optional("health_body", self.body);
        let trust = faults
            .optional("health_ca", self.ca)
            .and_then(|ca| match trust(&ca) {
                Ok(trust) => Some(trust),
                Err(fault) => {
                    faults.of("health_ca", fault);
                    None
                }
            });
        if url == "none" {
            let unused = [
                ("health_header", headers.is_some()),
                ("health_body", body.is_some()),
                ("health_ca", trust.is_some()),
            ];
            for (field, _) in unused.iter().filter(|(_, is_given)| *is_given) {
                faults.of(field, "there is no health URL to use it for");
            }
            return Some(None);
        }
        let url: HttpUrl = match url.parse() {
            Ok(url) => url,
            Err(fault) => {
                faults.of("health_url", fault);
                return None;
            }
        };
        if trust.is_some() && url.scheme == Scheme::Http {
            faults.of("health_ca", "is for an https:// address");
        }
        Some(Some(Health {
            probe: Probe {
                url,
                headers: headers.map(Guarded::reveal).unwrap_or_default().0,
                statuses: statuses?,
                body,
                trust: trust.unwrap_or_default(),
            },
            count: count?.0,
            timeout: timeout?.0,
        }))
    }
}

/// Longer authorities, in bytes, are not written down with a release.
const MOST_AUTHORITIES: usize = 16 * 1024;

fn trust(setting: &str) -> Result<Trust, String> {
    let trust = Trust::from_setting(setting)?;
    match &trust {
        Trust::Given(certificates) if certificates.concat().len() > MOST_AUTHORITIES => {
            Err(format!(
                "`{setting}` holds more than {MOST_AUTHORITIES} bytes of certificates; keep those that the application's needs"
            ))
        }
        _ => Ok(trust),
    }
}
