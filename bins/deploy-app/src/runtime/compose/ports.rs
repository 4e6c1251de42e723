//! Who has the ports that a project wants to publish.

/// Prints the ports that containers publish, with project and name, and the ports on which something listens, where the
/// host has `ss`.
pub(crate) const LISTENERS: &str = "docker ps --format '{{.Label \"com.docker.compose.project\"}}|{{.Names}}|{{.Ports}}' </dev/null; \
     ss -Hltnp 2>/dev/null | while read -r _ _ _ at _ who; do echo \"ss $at $who\"; done; exit 0";

/// Who has which of `ports` and is not of the project, in words; from what [`LISTENERS`] printed.
pub(crate) fn taken(ports: &[u16], project: &str, printed: &str) -> Vec<String> {
    let mut taken = Vec::new();
    for port in ports {
        // Such as `0.0.0.0:8001->80/tcp, :::8001->80/tcp`.
        let published = format!(":{port}->");
        let container = printed
            .lines()
            .filter_map(|line| line.split_once('|'))
            .find(|(_, rest)| rest.contains(&published));
        if let Some((of, rest)) = container {
            let name = rest.split('|').next().unwrap_or_default();
            match of {
                of if of == project => {}
                "" => taken.push(format!("port {port} is taken by the container {name}")),
                of => taken.push(format!(
                    "port {port} is taken by the container {name} of the project {of}"
                )),
            }
            continue;
        }
        let listens = printed
            .lines()
            .filter_map(|line| line.strip_prefix("ss ")?.split_once(' '))
            .find(|(at, _)| at.rsplit(':').next() == Some(&port.to_string()));
        if let Some((_, who)) = listens {
            // Such as `users:((\"nginx\",pid=12,fd=6))`, and empty of what is another user's.
            let name = who.split('"').nth(1);
            taken.push(match name {
                Some(name) => format!("port {port} is taken by `{name}` on the host"),
                None => format!("port {port} is taken by a program on the host, of another user"),
            });
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::taken;

    #[test]
    fn whoever_has_a_port_is_named_unless_it_is_the_project_itself() {
        let printed = "app|app-web-1|0.0.0.0:8001->80/tcp, :::8001->80/tcp\n\
                       shop|shop-web-1|127.0.0.1:8002->80/tcp\n\
                       |lonely|0.0.0.0:8003->80/tcp\n\
                       ss 0.0.0.0:8004 users:((\"nginx\",pid=12,fd=6))\n\
                       ss [::]:8005 \n";
        let of = |port: u16| taken(&[port], "app", printed).join("");
        assert_eq!(of(8001), "");
        assert_eq!(
            of(8002),
            "port 8002 is taken by the container shop-web-1 of the project shop"
        );
        assert_eq!(of(8003), "port 8003 is taken by the container lonely");
        assert_eq!(of(8004), "port 8004 is taken by `nginx` on the host");
        assert_eq!(
            of(8005),
            "port 8005 is taken by a program on the host, of another user"
        );
        assert_eq!(of(800), "");
    }
}
