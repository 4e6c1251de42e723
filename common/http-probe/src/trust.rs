/// By what an `https://` server is judged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// By the authorities that this system knows.
    #[default]
    System,
    /// By these certificates alone, in DER: authorities, or the server's own certificate.
    Given(Vec<Vec<u8>>),
    /// By nothing: any certificate is accepted.
    Anything,
}
