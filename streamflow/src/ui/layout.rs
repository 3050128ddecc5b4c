//! Places for the boxes of a topology: a layered drawing from left to right.
//!
//! The usual four steps (Sugiyama): a layer for each vertex by its longest path from an input, a bend in every layer that an
//! edge passes, an order in each layer that avoids crossings, and heights close to those of the neighbours. A topology has
//! tens of vertices, so each step is the simplest that does it.

use std::collections::HashMap;

use crate::plan::explain::{Explanation, Line, Shape};

/// Width of a symbol and height of a line of the page's drawing font.
const SYMBOL: f32 = 6.7;
const LINE: f32 = 16.0;
/// Around the text of a box.
const PADDING: (f32, f32) = (24.0, 18.0);
/// Between boxes of neighbouring layers, and of one layer.
const GAP: (f32, f32) = (56.0, 22.0);
/// A longer line is cut in the drawing; the page shows it in full beside it.
const LONGEST_LINE: usize = 40;

/// A topology with places.
pub(crate) struct Drawing {
    pub(crate) width: f32,
    pub(crate) height: f32,
    pub(crate) vertices: Vec<Vertex>,
    pub(crate) edges: Vec<Edge>,
}

/// A box.
pub(crate) struct Vertex {
    /// The identity that `explain` gives it too.
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    /// What `explain` writes into it.
    pub(crate) lines: Vec<String>,
    /// The same, short enough to be drawn.
    pub(crate) labels: Vec<String>,
    /// Of its centre.
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) width: f32,
    pub(crate) height: f32,
}

/// A line between two boxes, with its bends.
pub(crate) struct Edge {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) record: String,
    pub(crate) points: Vec<(f32, f32)>,
}

/// Something with a place in a layer: a vertex, or a bend of an edge.
#[derive(Clone, Copy, Default)]
struct Spot {
    layer: usize,
    width: f32,
    height: f32,
    y: f32,
}

/// The drawing of a topology.
pub(crate) fn draw(explanation: &Explanation) -> Drawing {
    let (mut vertices, mut edges) = (Vec::new(), Vec::new());
    explanation.draw(&mut |line| match line {
        Line::Vertex { id, shape, lines } => vertices.push(vertex(id, &shape, lines)),
        Line::Edge { from, to, record } => {
            edges.push(Edge { from, to, record: record.to_owned(), points: Vec::new() });
        }
    });
    let numbers: HashMap<&str, usize> =
        vertices.iter().enumerate().map(|(number, vertex)| (vertex.id.as_str(), number)).collect();
    let ends: Vec<(usize, usize)> =
        edges.iter().map(|edge| (numbers[edge.from.as_str()], numbers[edge.to.as_str()])).collect();

    let layers = layers(vertices.len(), &ends);
    let mut spots: Vec<Spot> = (vertices.iter().zip(layers))
        .map(|(vertex, layer)| Spot { layer, width: vertex.width, height: vertex.height, y: 0.0 })
        .collect();
    let paths = bend(&mut spots, &ends);
    let links: Vec<(usize, usize)> = paths.iter().flat_map(|path| path.windows(2).map(|w| (w[0], w[1]))).collect();
    let columns = order(&spots, &links);
    place(&mut spots, &columns, &links);
    let centres = centres(&spots, &columns);

    for (vertex, spot) in vertices.iter_mut().zip(&spots) {
        (vertex.x, vertex.y) = (centres[spot.layer], spot.y);
    }
    for (edge, path) in edges.iter_mut().zip(&paths) {
        edge.points = path.iter().map(|spot| (centres[spots[*spot].layer], spots[*spot].y)).collect();
        let (first, last) = (path[0], path[path.len() - 1]);
        edge.points[0].0 += spots[first].width / 2.0;
        let end = edge.points.len() - 1;
        edge.points[end].0 -= spots[last].width / 2.0;
    }
    let width = vertices.iter().map(|v| v.x + v.width / 2.0).fold(0.0, f32::max);
    let height = spots.iter().map(|spot| spot.y + spot.height / 2.0).fold(0.0, f32::max);
    Drawing { width, height, vertices, edges }
}

fn vertex(id: String, shape: &Shape, lines: Vec<String>) -> Vertex {
    let kind = match shape {
        Shape::Input => "input",
        Shape::Wide => "wide",
        Shape::Stage => "stage",
        Shape::Output => "output",
    };
    let labels: Vec<String> = lines.iter().map(|line| label(line)).collect();
    let longest = labels.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let width = longest as f32 * SYMBOL + PADDING.0;
    // One more line for what the page measures.
    let height = (lines.len() + 1) as f32 * LINE + PADDING.1;
    Vertex { id, kind, lines, labels, x: 0.0, y: 0.0, width, height }
}

/// A line without the folders of source files, cut if it is still too long.
fn label(line: &str) -> String {
    let short = match line.rfind('/') {
        Some(slash) if line.contains(".rs:") => {
            let folders = line[..slash].rfind(['(', ' ']).map_or(0, |start| start + 1);
            format!("{}{}", &line[..folders], &line[slash + 1..])
        }
        _ => line.to_owned(),
    };
    if short.chars().count() <= LONGEST_LINE {
        return short;
    }
    short.chars().take(LONGEST_LINE - 1).chain(['…']).collect()
}

/// The layer of each vertex: one more than that of the last vertex before it. Inputs stand right before their first reader.
fn layers(vertices: usize, ends: &[(usize, usize)]) -> Vec<usize> {
    let mut layers = vec![0; vertices];
    // A topology has no cycles, so this ends after as many rounds as the longest path has edges.
    for _ in 0..vertices {
        for &(from, to) in ends {
            layers[to] = layers[to].max(layers[from] + 1);
        }
    }
    for vertex in 0..vertices {
        if !ends.iter().any(|(_, to)| *to == vertex) {
            let readers = ends.iter().filter(|(from, _)| *from == vertex).map(|(_, to)| layers[*to]);
            layers[vertex] = readers.min().map_or(0, |layer| layer - 1);
        }
    }
    layers
}

/// Adds a spot in every layer that an edge passes; returns each edge as a path of spots.
fn bend(spots: &mut Vec<Spot>, ends: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut paths = Vec::new();
    for &(from, to) in ends {
        let mut path = vec![from];
        for layer in spots[from].layer + 1..spots[to].layer {
            path.push(spots.len());
            spots.push(Spot { layer, height: LINE, ..Spot::default() });
        }
        path.push(to);
        paths.push(path);
    }
    paths
}

/// The spots of each layer from top to bottom: each close to the middle of its neighbours.
fn order(spots: &[Spot], links: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut columns = vec![Vec::new(); spots.iter().map(|spot| spot.layer + 1).max().unwrap_or(0)];
    for (number, spot) in spots.iter().enumerate() {
        columns[spot.layer].push(number);
    }
    let mut best = (crossings(&columns, spots, links), columns.clone());
    for round in 0..12 {
        let mut rank = ranks(&columns, spots.len());
        for step in 0..columns.len() {
            let forward = round % 2 == 0;
            let layer = if forward { step } else { columns.len() - 1 - step };
            let middle = |spot: usize| {
                let near = links.iter().filter_map(|&(a, b)| match forward {
                    true => (b == spot).then_some(a),
                    false => (a == spot).then_some(b),
                });
                mean(near.map(|other| rank[other])).unwrap_or(rank[spot])
            };
            let mut keyed: Vec<(f32, usize)> = columns[layer].iter().map(|spot| (middle(*spot), *spot)).collect();
            keyed.sort_by(|left, right| left.0.total_cmp(&right.0));
            columns[layer] = keyed.into_iter().map(|(_, spot)| spot).collect();
            columns[layer].iter().enumerate().for_each(|(place, spot)| rank[*spot] = place as f32);
        }
        let found = crossings(&columns, spots, links);
        if found < best.0 {
            best = (found, columns.clone());
        }
    }
    best.1
}

/// The place of each spot in its layer.
fn ranks(columns: &[Vec<usize>], spots: usize) -> Vec<f32> {
    let mut rank = vec![0.0; spots];
    for column in columns {
        column.iter().enumerate().for_each(|(place, spot)| rank[*spot] = place as f32);
    }
    rank
}

fn crossings(columns: &[Vec<usize>], spots: &[Spot], links: &[(usize, usize)]) -> usize {
    let rank = ranks(columns, spots.len());
    let crosses = |left: &(usize, usize), right: &(usize, usize)| {
        spots[left.0].layer == spots[right.0].layer
            && (rank[left.0] - rank[right.0]) * (rank[left.1] - rank[right.1]) < 0.0
    };
    links.iter().enumerate().map(|(i, left)| links[i + 1..].iter().filter(|right| crosses(left, right)).count()).sum()
}

/// Heights: each spot at the mean of its neighbours, as far as the others of its layer leave room.
fn place(spots: &mut [Spot], columns: &[Vec<usize>], links: &[(usize, usize)]) {
    for column in columns {
        let mut top = 0.0;
        for &spot in column {
            spots[spot].y = top + spots[spot].height / 2.0;
            top += spots[spot].height + GAP.1;
        }
    }
    for round in 0..16 {
        for step in 0..columns.len() {
            let column = &columns[if round % 2 == 0 { step } else { columns.len() - 1 - step }];
            let wanted: Vec<f32> = column.iter().map(|spot| wanted_height(spots, *spot, links)).collect();
            settle(spots, column, &wanted);
        }
    }
    close_ranks(spots);
}

/// Moves everything up that has nothing above it over the whole width, so that parts without a link stand close.
fn close_ranks(spots: &mut [Spot]) {
    let mut from_top: Vec<usize> = (0..spots.len()).collect();
    let top = |spot: &Spot| spot.y - spot.height / 2.0;
    from_top.sort_by(|left, right| top(&spots[*left]).total_cmp(&top(&spots[*right])));
    let (mut bottom, mut up) = (-GAP.1, 0.0);
    for spot in from_top {
        let spot = &mut spots[spot];
        up += f32::max(top(spot) - up - bottom - GAP.1, if bottom < 0.0 { f32::NEG_INFINITY } else { 0.0 });
        spot.y -= up;
        bottom = f32::max(bottom, spot.y + spot.height / 2.0);
    }
}

fn wanted_height(spots: &[Spot], spot: usize, links: &[(usize, usize)]) -> f32 {
    let near = links.iter().filter_map(|&(a, b)| if a == spot { Some(b) } else { (b == spot).then_some(a) });
    mean(near.map(|other| spots[other].y)).unwrap_or(spots[spot].y)
}

/// Puts a column at the wanted heights, pushed apart where they overlap, and moved back so that it is right on average.
fn settle(spots: &mut [Spot], column: &[usize], wanted: &[f32]) {
    let mut bottom = f32::NEG_INFINITY;
    for (&spot, &y) in column.iter().zip(wanted) {
        let half = spots[spot].height / 2.0;
        spots[spot].y = y.max(bottom + half);
        bottom = spots[spot].y + half + GAP.1;
    }
    let pushed = mean(column.iter().zip(wanted).map(|(spot, y)| spots[*spot].y - y)).unwrap_or(0.0);
    column.iter().for_each(|spot| spots[*spot].y -= pushed);
}

/// The middle of each layer.
fn centres(spots: &[Spot], columns: &[Vec<usize>]) -> Vec<f32> {
    let mut left = 0.0;
    let widths = columns.iter().map(|column| column.iter().map(|spot| spots[*spot].width).fold(0.0, f32::max));
    widths
        .map(|width| {
            let centre = left + width / 2.0;
            left += width + GAP.0;
            centre
        })
        .collect()
}

fn mean(values: impl Iterator<Item = f32>) -> Option<f32> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Driver;

    /// Two inputs, a transform of each, and one of both that also sees the first input.
    fn diamond() -> Drawing {
        let test = Driver::new().unwrap();
        let (left, right) = (test.input(vec![vec![1]]), test.input(vec![vec![2]]));
        let doubled = left.transform(|batch| batch.map(|n| n * 2));
        let both = doubled.transform_with(&right, |a, b| a.union(b));
        let all = both.transform_with(&left, |a, b| a.union(b));
        test.output(&all);
        test.output(&doubled);
        draw(&test.context().explain())
    }

    #[test]
    fn edges_lead_to_the_right() {
        let drawing = diamond();
        let find = |id: &str| drawing.vertices.iter().find(|vertex| vertex.id == id).unwrap();
        for edge in &drawing.edges {
            let (from, to) = (find(&edge.from), find(&edge.to));
            assert!(from.x + from.width / 2.0 < to.x - to.width / 2.0, "{} -> {}", edge.from, edge.to);
            assert!(edge.points.windows(2).all(|points| points[0].0 < points[1].0));
        }
    }

    #[test]
    fn boxes_do_not_overlap_and_are_in_the_picture() {
        let drawing = diamond();
        for (index, left) in drawing.vertices.iter().enumerate() {
            assert!(left.y - left.height / 2.0 >= -0.01 && left.y + left.height / 2.0 <= drawing.height + 0.01);
            assert!(left.x - left.width / 2.0 >= -0.01 && left.x + left.width / 2.0 <= drawing.width + 0.01);
            for right in &drawing.vertices[index + 1..] {
                let apart = (left.x - right.x).abs() >= (left.width + right.width) / 2.0
                    || (left.y - right.y).abs() >= (left.height + right.height) / 2.0;
                assert!(apart, "{} overlaps {}", left.id, right.id);
            }
        }
    }

    #[test]
    fn an_edge_bends_around_the_boxes_between_its_ends() {
        let drawing = diamond();
        assert!(drawing.edges.iter().any(|edge| edge.points.len() > 2), "the first input is read two layers on");
    }

    #[test]
    fn labels_leave_out_folders() {
        assert_eq!(label("map (examples/shop/main.rs:5)"), "map (main.rs:5)");
        assert_eq!(label("src/main.rs:7"), "main.rs:7");
        assert_eq!(label("shop/popular.window"), "shop/popular.window");
        assert_eq!(label(&"x".repeat(99)).chars().count(), LONGEST_LINE);
    }

    #[test]
    fn nothing_is_drawn_as_nothing() {
        let drawing = draw(&Driver::new().unwrap().context().explain());
        assert_eq!((drawing.vertices.len(), drawing.width, drawing.height), (0, 0.0, 0.0));
    }
}
