//! Plots as SVG text: axes with units, lines, stacked areas.
//!
//! Owns geometry and nothing of what is plotted. Needs no script and no network. Next: `html`.

use std::fmt::Write;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 34.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 52.0;

/// A marked place on an axis, in the axis's own numbers.
#[derive(Debug, Clone)]
pub(crate) struct Tick {
    pub(crate) at: f64,
    pub(crate) label: String,
}

/// An axis from `from` to `to`.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    pub(crate) title: String,
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) ticks: Vec<Tick>,
}

impl Axis {
    fn share(&self, value: f64) -> f64 {
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    /// From 0 to at least `max`, in round steps.
    pub(crate) fn linear(title: &str, max: f64) -> Self {
        let max = if max > 0.0 { max } else { 1.0 };
        let rough = max / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = step.into_iter().find(|step| *step >= rough * 0.999).unwrap_or(power * 10.0);
        let steps = (max / step - 1e-9).ceil().max(1.0);
        let ticks = (0..=steps as u32).map(|n| {
            let at = f64::from(n) * step;
            Tick { at, label: number(at) }
        });
        Self { title: title.to_owned(), from: 0.0, to: steps * step, ticks: ticks.collect() }
    }

    /// Decades of microseconds, by their logarithm.
    pub(crate) fn latency(title: &str, min_us: f64, max_us: f64) -> Self {
        let from = min_us.max(1.0).log10().floor();
        let to = max_us.max(10.0).log10().ceil().max(from + 1.0);
        let ticks = (from as i32..=to as i32).map(|decade| {
            let at = f64::from(decade);
            Tick { at, label: duration(10_f64.powi(decade)) }
        });
        Self { title: title.to_owned(), from, to, ticks: ticks.collect() }
    }

    /// By nines: 90 %, 99 %, 99.9 %, as far as `count` values can tell.
    pub(crate) fn nines(title: &str, count: u64) -> Self {
        let to = (count.max(10) as f64).log10().ceil();
        let half = Tick { at: 2_f64.log10(), label: "50 %".to_owned() };
        let zero = Tick { at: 0.0, label: "0 %".to_owned() };
        let nines = (1..=to as usize).map(|nines| {
            let label = match nines {
                1 => "90 %".to_owned(),
                2 => "99 %".to_owned(),
                more => format!("99.{} %", "9".repeat(more - 2)),
            };
            Tick { at: nines as f64, label }
        });
        let ticks = [zero, half].into_iter().chain(nines).collect();
        Self { title: title.to_owned(), from: 0.0, to, ticks }
    }
}

/// Microseconds as people say them.
pub(crate) fn duration(us: f64) -> String {
    match us {
        us if us >= 1e6 => format!("{} s", number(us / 1e6)),
        us if us >= 1e3 => format!("{} ms", number(us / 1e3)),
        us => format!("{} µs", number(us)),
    }
}

/// Three significant digits or all before the point, in groups of three.
pub(crate) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        big if big >= 100.0 || big.fract() == 0.0 => 0,
        middle if middle >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { grouped } else { format!("{grouped}.{fraction}") }
}

/// For text and attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // What XML has no place for.
            control if control < ' ' => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

/// A line through points.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) colour: &'static str,
    pub(crate) dashed: bool,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A layer of a stack: a height for each place of the shared x.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) label: String,
    pub(crate) colour: &'static str,
    pub(crate) heights: Vec<f64>,
}

/// A plot in the making.
#[derive(Debug)]
pub(crate) struct Plot {
    x: Axis,
    y: Axis,
    body: String,
    legend: Vec<(String, &'static str, bool)>,
}

impl Plot {
    pub(crate) fn new(x: Axis, y: Axis) -> Self {
        Self { x, y, body: String::new(), legend: Vec::new() }
    }

    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let across = LEFT + self.x.share(x) * (WIDTH - LEFT - RIGHT);
        let down = TOP + (1.0 - self.y.share(y)) * (HEIGHT - TOP - BOTTOM);
        (across, down)
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.body.write_fmt(text).expect("a string takes text");
    }

    fn points(&self, points: impl Iterator<Item = (f64, f64)>) -> String {
        let mut text = String::new();
        for (x, y) in points {
            let (x, y) = self.place(x, y);
            write!(text, "{x:.1},{y:.1} ").expect("a string takes text");
        }
        text.trim_end().to_owned()
    }

    pub(crate) fn line(mut self, line: &Line) -> Self {
        let points = self.points(line.points.iter().copied());
        let dashes = if line.dashed { " stroke-dasharray=\"6 4\"" } else { "" };
        let (colour, label) = (line.colour, escape(&line.label));
        self.write(format_args!(
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dashes} \
             points=\"{points}\"><title>{label}</title></polyline>\n"
        ));
        self.legend.push((line.label.clone(), line.colour, line.dashed));
        self
    }

    /// Layers on each other, the first at the bottom. Each place is as wide as one of x.
    pub(crate) fn stack(mut self, layers: &[Layer]) -> Self {
        let length = layers.iter().map(|layer| layer.heights.len()).max().unwrap_or(0);
        let mut below = vec![0.0; length];
        for layer in layers {
            let top: Vec<f64> = below
                .iter()
                .enumerate()
                .map(|(at, below)| below + layer.heights.get(at).copied().unwrap_or(0.0))
                .collect();
            let steps = |heights: &[f64]| {
                let pairs = heights.iter().enumerate();
                let steps = pairs
                    .flat_map(|(at, height)| [(at as f64, *height), (at as f64 + 1.0, *height)]);
                steps.collect::<Vec<_>>()
            };
            let back = steps(&below).into_iter().rev();
            let points = self.points(steps(&top).into_iter().chain(back));
            let (colour, label) = (layer.colour, escape(&layer.label));
            self.write(format_args!(
                "<polygon fill=\"{colour}\" fill-opacity=\"0.85\" points=\"{points}\">\
                 <title>{label}</title></polygon>\n"
            ));
            self.legend.push((layer.label.clone(), layer.colour, false));
            below = top;
        }
        self
    }

    /// A moment worth knowing.
    pub(crate) fn mark(mut self, x: f64, label: &str) -> Self {
        let ((across, top), (_, bottom)) = (self.place(x, self.y.to), self.place(x, self.y.from));
        let label = escape(label);
        self.write(format_args!(
            "<line x1=\"{across:.1}\" x2=\"{across:.1}\" y1=\"{top:.1}\" y2=\"{bottom:.1}\" \
             class=\"mark\"/><text x=\"{:.1}\" y=\"{:.1}\" class=\"mark\">{label}</text>\n",
            across + 4.0,
            top + 12.0
        ));
        self
    }

    fn axes(&self) -> String {
        let mut text = String::new();
        let mut write = |line: std::fmt::Arguments<'_>| {
            text.write_fmt(line).expect("a string takes text");
        };
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in &self.x.ticks {
            let (x, _) = self.place(tick.at, self.y.from);
            let (label, under) = (escape(&tick.label), bottom + 17.0);
            write(format_args!(
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\" class=\"grid\"/>\
                 <text x=\"{x:.1}\" y=\"{under}\" text-anchor=\"middle\">{label}</text>\n"
            ));
        }
        for tick in &self.y.ticks {
            let (_, y) = self.place(self.x.from, tick.at);
            let (label, beside, lower) = (escape(&tick.label), LEFT - 7.0, y + 4.0);
            write(format_args!(
                "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\" class=\"grid\"/>\
                 <text x=\"{beside}\" y=\"{lower:.1}\" text-anchor=\"end\">{label}</text>\n"
            ));
        }
        let (middle, low) = ((LEFT + right) / 2.0, HEIGHT - 10.0);
        let upright = (TOP + bottom) / 2.0;
        write(format_args!(
            "<text x=\"{middle:.1}\" y=\"{low}\" text-anchor=\"middle\" class=\"title\">{}</text>\
             <text x=\"14\" y=\"{upright:.1}\" text-anchor=\"middle\" class=\"title\" \
             transform=\"rotate(-90 14 {upright:.1})\">{}</text>\n",
            escape(&self.x.title),
            escape(&self.y.title)
        ));
        text
    }

    /// The plot with its legend, as HTML.
    pub(crate) fn finish(self, name: &str) -> String {
        let axes = self.axes();
        let legend: String = self
            .legend
            .iter()
            .map(|(label, colour, dashed)| {
                let style = if *dashed { "dashed" } else { "solid" };
                let label = escape(label);
                format!("<li><i style=\"border-top:3px {style} {colour}\"></i>{label}</li>")
            })
            .collect();
        format!(
            "<figure><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n\
             {axes}{}</svg><ul class=\"legend\">{legend}</ul></figure>\n",
            escape(name),
            self.body
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_durations_read_as_people_say_them() {
        for (value, text) in
            [(0.0, "0"), (1234567.0, "1,234,567"), (999.0, "999"), (12.34, "12.3"), (1.5, "1.5")]
        {
            assert_eq!(number(value), text);
        }
        for (us, text) in [(1.0, "1 µs"), (10_000.0, "10 ms"), (1e6, "1 s"), (1_250.0, "1.25 ms")]
        {
            assert_eq!(duration(us), text);
        }
    }

    #[test]
    fn axes_hold_what_they_are_for_between_round_ends() {
        let axis = Axis::linear("", 1234.0);
        assert_eq!((axis.to, axis.ticks.len(), axis.ticks[1].at), (1500.0, 4, 500.0));
        let axis = Axis::latency("", 137.0, 23_000.0);
        let labels: Vec<&str> = axis.ticks.iter().map(|tick| tick.label.as_str()).collect();
        assert_eq!(labels, ["100 µs", "1 ms", "10 ms", "100 ms"]);
        let axis = Axis::nines("", 20_000);
        let labels: Vec<&str> = axis.ticks.iter().map(|tick| tick.label.as_str()).collect();
        assert_eq!(labels, ["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"]);
    }

    #[test]
    fn text_cannot_break_out() {
        assert_eq!(escape("<a b=\"c\">&\u{1}"), "&lt;a b=&quot;c&quot;&gt;&amp; ");
    }
}
