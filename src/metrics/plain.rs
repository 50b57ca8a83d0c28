//! The page of OpenMetrics 1.0 as the text format 0.0.4, which scrapers read that know no other.
//!
//! Owns how the two differ for what this server exports: there counters are declared by the name of
//! their samples, there is no kind `info`, and the page ends where it ends. Samples are the same.
//! Next: `exposition`.

/// The page in the text format 0.0.4.
pub(super) fn plain(openmetrics: &str) -> String {
    let mut page = String::with_capacity(openmetrics.len() + openmetrics.len() / 64);
    // What a metric means stands before its kind, and is to name it by that kind.
    let mut meaning = "";
    for line in openmetrics.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            meaning = help.split_once(' ').map_or("", |(_, meaning)| meaning);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap_or((kind, "unknown"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                kind => ("", kind),
            };
            for part in
                ["# HELP ", name, suffix, " ", meaning, "\n# TYPE ", name, suffix, " ", kind, "\n"]
            {
                page.push_str(part);
            }
        } else if !line.starts_with('#') {
            page.push_str(line);
            page.push('\n');
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_differ_and_samples_do_not() {
        let openmetrics = "\
            # HELP shop_build Release.\n# TYPE shop_build info\nshop_build_info{version=\"1\"} 1\n\
            # HELP shop_orders Orders.\n# TYPE shop_orders counter\n\
            shop_orders_total{outcome=\"ok\"} 5\nshop_orders_total{outcome=\"no\"} 0\n\
            # HELP shop_ready Ready.\n# TYPE shop_ready gauge\nshop_ready 1\n\
            # HELP shop_wait_seconds Waits.\n# TYPE shop_wait_seconds histogram\n\
            # UNIT shop_wait_seconds seconds\n\
            shop_wait_seconds_sum 0.5\nshop_wait_seconds_bucket{le=\"+Inf\"} 2\n\
            # EOF\n";
        let text = "\
            # HELP shop_build_info Release.\n# TYPE shop_build_info gauge\n\
            shop_build_info{version=\"1\"} 1\n\
            # HELP shop_orders_total Orders.\n# TYPE shop_orders_total counter\n\
            shop_orders_total{outcome=\"ok\"} 5\nshop_orders_total{outcome=\"no\"} 0\n\
            # HELP shop_ready Ready.\n# TYPE shop_ready gauge\nshop_ready 1\n\
            # HELP shop_wait_seconds Waits.\n# TYPE shop_wait_seconds histogram\n\
            shop_wait_seconds_sum 0.5\nshop_wait_seconds_bucket{le=\"+Inf\"} 2\n";
        assert_eq!(plain(openmetrics), text);
    }
}
