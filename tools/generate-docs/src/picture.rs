//! Pictures from text: bands with rooms, from top to bottom.
//!
//! ```text
//! # a comment
//! title  The house
//! columns  4                 rooms side by side
//! roof                       the title stands in a gable
//! band core  Caption         a band; its kind is core, stair, edge or outside
//! room engine/  What it is   a room; a name that begins with core/ or edge/ has that color
//! link  actions | events     arrows between two bands: down and up
//! flow                       from here on an arrow leads from each room of a band to the next
//! ```

mod svg;

/// A picture as it was read.
#[derive(Debug, Default)]
struct Picture {
    title: String,
    columns: usize,
    roof: bool,
    bands: Vec<Band>,
}

#[derive(Debug)]
struct Band {
    kind: Kind,
    caption: String,
    flow: bool,
    rooms: Vec<Room>,
    /// Labels of the arrows to the next band: down, up.
    link: Option<(String, String)>,
}

#[derive(Debug)]
struct Room {
    name: String,
    about: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Core,
    Stair,
    Edge,
    Outside,
}

impl Kind {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "core" => Self::Core,
            "stair" => Self::Stair,
            "edge" => Self::Edge,
            "outside" => Self::Outside,
            _ => return None,
        })
    }

    /// The kind that the name of a room tells, else that of its band.
    fn of(name: &str, band: Self) -> Self {
        name.split_once('/').and_then(|(word, _)| Self::parse(word)).unwrap_or(band)
    }
}

/// Draws the picture as SVG. The error begins with its line.
pub fn draw(text: &str) -> Result<String, String> {
    Ok(svg::render(&parse(text)?))
}

/// The names of all rooms.
#[must_use]
pub fn rooms(text: &str) -> Vec<String> {
    let picture = parse(text).unwrap_or_default();
    picture.bands.into_iter().flat_map(|band| band.rooms).map(|room| room.name).collect()
}

fn parse(text: &str) -> Result<Picture, String> {
    let mut picture = Picture { columns: 4, ..Picture::default() };
    let mut flow = false;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        let fail = |what: &str| Err(format!("{}: {what}: {line}", at + 1));
        let (word, rest) = line.split_once("  ").map_or((line, ""), |(word, rest)| (word, rest.trim()));
        let (verb, name) = word.split_once(' ').unwrap_or((word, ""));
        let band = picture.bands.last_mut();
        match (verb, band) {
            ("" | "#", _) => {}
            ("title", _) => rest.clone_into(&mut picture.title),
            ("columns", _) => {
                picture.columns = rest
                    .parse()
                    .ok()
                    .filter(|n| (1..=8).contains(n))
                    .ok_or(format!("{}: not a number from 1 to 8", at + 1))?;
            }
            ("roof", _) => picture.roof = true,
            ("flow", _) => flow = true,
            ("band", _) => {
                let Some(kind) = Kind::parse(name) else { return fail("not a kind of band") };
                picture.bands.push(Band { kind, caption: rest.to_owned(), flow, rooms: Vec::new(), link: None });
            }
            ("room", Some(band)) => {
                band.rooms.push(Room {
                    name: name.to_owned(),
                    about: rest.to_owned(),
                    kind: Kind::of(name, band.kind),
                });
            }
            ("link", Some(band)) => {
                let Some((down, up)) = rest.split_once('|') else {
                    return fail("a link needs two labels with a | between");
                };
                band.link = Some((down.trim().to_owned(), up.trim().to_owned()));
            }
            ("room" | "link", None) => return fail("no band yet"),
            _ => return fail("not known"),
        }
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str =
        "title  T & U\ncolumns  2\nflow\nband core  C\nroom core/a.rs  one\nroom edge/b.rs  two\nroom c  three\n";

    #[test]
    fn rooms_have_the_color_of_their_floor() {
        let picture = parse(SMALL).expect("a picture");
        let kinds: Vec<Kind> = picture.bands[0].rooms.iter().map(|room| room.kind).collect();
        assert_eq!(kinds, [Kind::Core, Kind::Edge, Kind::Core]);
        assert_eq!(rooms(SMALL), ["core/a.rs", "edge/b.rs", "c"]);
    }

    #[test]
    fn the_drawing_is_well_formed() {
        let svg = draw(SMALL).expect("drawn");
        assert!(svg.contains("T &amp; U") && svg.trim_end().ends_with("</svg>"), "{svg}");
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        assert_eq!(svg.matches("marker-end").count(), 2, "two arrows between three rooms");
    }

    #[test]
    fn mistakes_have_a_line() {
        assert!(draw("title  x\nroof\nrom a  b\n").expect_err("unknown").starts_with("3: not known"));
        assert!(draw("room a  b\n").expect_err("no band").starts_with("1: no band"));
        assert!(draw("band cellar  b\n").is_err() && draw("columns  0\n").is_err());
    }
}
