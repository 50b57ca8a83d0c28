//! TLS towards targets: which authorities are believed.
//!
//! Owns one rule for all of them: the certificate must be of the host that was named, from an
//! authority of the PEM file, or of the system where none is named. There is no way to leave the
//! check out. Next: `postgres`.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore, crypto};
use std::path::Path;
use std::sync::Arc;

pub(crate) fn client(authorities: Option<&Path>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(file) => {
            let failed = |cause: &dyn std::fmt::Display| format!("{}: {cause}", file.display());
            let read = CertificateDer::pem_file_iter(file).map_err(|cause| failed(&cause))?;
            for certificate in read {
                let certificate = certificate.map_err(|cause| failed(&cause))?;
                roots.add(certificate).map_err(|cause| failed(&cause))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err("there is no certificate authority; name a PEM file in ca_file".to_owned());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|cause| cause.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
