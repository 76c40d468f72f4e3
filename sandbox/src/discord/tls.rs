//! A certificate authority of this process, and with it a certificate for the names that Discord answers to.
//!
//! It is made anew in each process and never leaves memory, so trusting it harms nobody.

use std::sync::OnceLock;

use anyhow::Context;
use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name};

/// The names that `discord.connect_to` redirects (contract 2), and `localhost` for foreign clients.
const NAMES: [&str; 3] = ["discord.com", "cdn.discordapp.com", "localhost"];
const VALID_DAYS: u32 = 30;

/// The authority and the leaf that it signed.
pub(super) struct Authority {
    pub ca_pem: String,
    acceptor: tokio_native_tls::TlsAcceptor,
}

impl Authority {
    /// The one of this process, made on first use.
    pub fn of_this_process() -> anyhow::Result<&'static Self> {
        static ONE: OnceLock<Authority> = OnceLock::new();
        if let Some(authority) = ONE.get() {
            return Ok(authority);
        }
        let made = Self::make("Sandbox Discord authority").context("making the certificate of the Discord double")?;
        Ok(ONE.get_or_init(|| made))
    }

    pub fn acceptor(&self) -> tokio_native_tls::TlsAcceptor {
        self.acceptor.clone()
    }

    /// One of that name.
    pub fn make(common_name: &str) -> anyhow::Result<Self> {
        let ca_key = new_key()?;
        let ca_name = name(common_name)?;
        let mut ca = builder(&ca_name, &ca_name, &ca_key)?;
        ca.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        ca.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
        ca.sign(&ca_key, MessageDigest::sha256())?;
        let ca = ca.build();

        let leaf_key = new_key()?;
        let mut leaf = builder(&name(NAMES[0])?, &ca_name, &leaf_key)?;
        let mut names = SubjectAlternativeName::new();
        for one in NAMES {
            names.dns(one);
        }
        names.ip("127.0.0.1");
        let names = names.build(&leaf.x509v3_context(Some(&ca), None))?;
        leaf.append_extension(BasicConstraints::new().critical().build()?)?;
        leaf.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
        leaf.append_extension(names)?;
        leaf.sign(&ca_key, MessageDigest::sha256())?;
        let leaf_pem = leaf.build().to_pem()?;

        let identity = native_tls::Identity::from_pkcs8(&leaf_pem, &leaf_key.private_key_to_pem_pkcs8()?)?;
        let acceptor = native_tls::TlsAcceptor::new(identity)?.into();
        Ok(Self { ca_pem: String::from_utf8(ca.to_pem()?)?, acceptor })
    }
}

fn new_key() -> anyhow::Result<PKey<Private>> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    Ok(PKey::from_ec_key(EcKey::generate(&group)?)?)
}

fn name(common_name: &str) -> anyhow::Result<X509Name> {
    let mut name = X509Name::builder()?;
    name.append_entry_by_nid(Nid::COMMONNAME, common_name)?;
    Ok(name.build())
}

fn builder(subject: &X509Name, issuer: &X509Name, key: &PKey<Private>) -> anyhow::Result<X509Builder> {
    let mut serial = BigNum::new()?;
    serial.rand(128, MsbOption::MAYBE_ZERO, false)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(subject)?;
    builder.set_issuer_name(issuer)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(VALID_DAYS)?)?;
    Ok(builder)
}
