//! Charts with two logarithmic axes, as SVG.

mod axis;

use std::fmt::Write as _;

use axis::Axis;

/// The size of a chart, and the space around its frame, in pixels.
const SIZE: (f64, f64) = (860.0, 460.0);
const LEFT: f64 = 80.0;
const RIGHT: f64 = 260.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 60.0;

/// Colours and dashes of the series, which differ without colour too.
const STYLES: [(&str, &str); 6] = [
    ("#1f5fa8", "none"),
    ("#c2410c", "8 4"),
    ("#15803d", "2 3"),
    ("#7e22ce", "10 3 2 3"),
    ("#a16207", "5 5"),
    ("#0f766e", "1 5"),
];

/// A line of a chart.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) name: &'static str,
    /// Points with two positive coordinates, from left to right. Others cannot be drawn and are left out.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Series {
    /// The slope on logarithmic axes of the line that is nearest to the points from `from` on: 0 if the value does not
    /// grow, and 1 if it is proportional.
    pub(crate) fn slope(&self, from: f64) -> f64 {
        let points = self.drawn().filter(|(x, _)| *x >= from).map(|(x, y)| (x.log10(), y.log10()));
        let points: Vec<(f64, f64)> = points.collect();
        let count = points.iter().map(|_| 1.0).sum::<f64>();
        let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
        let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
        let rise = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>();
        let run = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>();
        rise / run
    }

    fn drawn(&self) -> impl Iterator<Item = (f64, f64)> {
        let is_drawn = |value: f64| value.is_finite() && value > 0.0;
        self.points.iter().copied().filter(move |(x, y)| is_drawn(*x) && is_drawn(*y))
    }
}

/// A chart.
#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    /// The label of the horizontal axis, with its unit.
    pub(crate) x: &'static str,
    /// The label of the vertical axis, with its unit.
    pub(crate) y: &'static str,
    pub(crate) series: Vec<Series>,
    /// Where the slopes begin that the legend states; `None` states none.
    pub(crate) slopes_from: Option<f64>,
}

impl Chart {
    /// The chart as an SVG document.
    pub(crate) fn svg(&self) -> String {
        let (width, height) = SIZE;
        let (right, bottom) = (width - RIGHT, height - BOTTOM);
        let points = || self.series.iter().flat_map(Series::drawn);
        let across = Axis::of(points().map(|(x, _)| x), (LEFT, right));
        let up = Axis::of(points().map(|(_, y)| y), (bottom, TOP));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n<title>{}</title>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n",
            escaped(self.title)
        );
        text(&mut svg, (LEFT, 28.0), "start\" font-size=\"17", self.title);
        for (value, x) in across.ticks() {
            line(&mut svg, (x, TOP), (x, bottom));
            text(&mut svg, (x, bottom + 20.0), "middle", &label(value));
        }
        for (value, y) in up.ticks() {
            line(&mut svg, (LEFT, y), (right, y));
            text(&mut svg, (LEFT - 8.0, y + 4.0), "end", &label(value));
        }
        text(&mut svg, (f64::midpoint(LEFT, right), height - 14.0), "middle", self.x);
        let middle = f64::midpoint(TOP, bottom);
        text(&mut svg, (18.0, middle), &format!("middle\" transform=\"rotate(-90 18 {middle})"), self.y);
        let mut legend = TOP + 10.0;
        for (series, (colour, dashes)) in self.series.iter().zip(STYLES.iter().cycle()) {
            let points: Vec<(f64, f64)> =
                series.drawn().map(|(x, y)| (across.place(x), up.place(y))).collect();
            let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let stroke = format!("stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"");
            // Writing to a string cannot fail.
            let _infallible =
                writeln!(svg, "<polyline points=\"{}\" fill=\"none\" {stroke}/>", path.join(" "));
            for (x, y) in points {
                let _infallible =
                    writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>");
            }
            let start = right + 14.0;
            let _infallible = writeln!(
                svg,
                "<line x1=\"{start}\" y1=\"{legend}\" x2=\"{}\" y2=\"{legend}\" {stroke}/>",
                start + 30.0
            );
            text(&mut svg, (start + 36.0, legend + 4.0), "start", series.name);
            if let Some(from) = self.slopes_from {
                let slope = format!("slope {:.2}", series.slope(from));
                text(&mut svg, (start + 36.0, legend + 20.0), "start", &slope);
            }
            legend += 44.0;
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn line(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    let _infallible =
        writeln!(svg, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#ddd\"/>");
}

/// A text at a position. Text after the anchor in `anchor` is further attributes, without the last quote.
fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    let text = escaped(text);
    let _infallible = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The label of a number on an axis: 1000000 is 1M.
fn label(value: f64) -> String {
    if value >= 1e6 {
        format!("{}M", value / 1e6)
    } else if value >= 1e3 {
        format!("{}k", value / 1e3)
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: &[(f64, f64)]) -> Series {
        Series { name: "GET", points: points.to_vec() }
    }

    #[test]
    fn what_is_proportional_has_slope_1_and_what_stays_has_slope_0() {
        let proportional = series(&[(1e3, 2.0), (1e4, 20.0), (1e5, 200.0)]);
        assert!((proportional.slope(0.0) - 1.0).abs() < 1e-9);
        let flat = series(&[(1e3, 7.0), (1e4, 7.0), (1e6, 7.0)]);
        assert!(flat.slope(0.0).abs() < 1e-9);
    }

    #[test]
    fn a_slope_leaves_out_what_is_before_its_start() {
        let bent = series(&[(1e3, 5.0), (1e4, 5.0), (1e5, 50.0)]);
        assert!((bent.slope(1e4) - 1.0).abs() < 1e-9);
        assert!(bent.slope(0.0) < 0.9);
    }

    #[test]
    fn a_chart_draws_each_point_that_it_can_and_names_its_slope() {
        let points = [(1e3, 100.0), (1e4, 0.0), (1e5, 100.0)];
        let chart = Chart {
            title: "a < b",
            x: "trunks",
            y: "µs",
            series: vec![series(&points)],
            slopes_from: Some(0.0),
        };
        let svg = chart.svg();
        assert_eq!(svg.matches("<circle").count(), 2, "{svg}");
        for part in ["a &lt; b", "slope 0.00", ">100k<", ">µs<"] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
