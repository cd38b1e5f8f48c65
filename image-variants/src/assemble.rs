//! The image: front, header, payload, and what a site appends.

use crate::payload::Payload;
use crate::variants::ImagePlan;
use anyhow::{Context as _, Result, ensure};
use base::image_header::{ImageHeader, LENGTH, MAGIC, OFFSET};

/// The image that `plan` describes, of the bytes of [`front`](crate::link_unit::front) and a packed core.
pub fn image(plan: &ImagePlan, front: &[u8], payload: &Payload) -> Result<Vec<u8>> {
    let mut image = front.to_vec();
    pad(&mut image);
    let payload_offset = image.len();
    image.extend(&payload.packed);
    pad(&mut image);
    check_budget(plan, image.len())?;
    let [text, rodata, data] = payload.lengths;
    let header = ImageHeader {
        magic: MAGIC,
        build_id: payload.build_id,
        keep: plan.keep,
        drivers: plan.drivers,
        image_length: image.len().try_into()?,
        script_length: 0,
        payload_offset: payload_offset.try_into()?,
        payload_length: payload.packed.len().try_into()?,
        core_text_length: text.try_into()?,
        core_rodata_length: rodata.try_into()?,
        core_data_length: data.try_into()?,
        core_bss_length: payload.bss_length.try_into()?,
        low_length: payload.low_length.try_into()?,
        low_memory_length: payload.low_memory_length.try_into()?,
        card: 0,
    };
    let place = image.get_mut(OFFSET..OFFSET + LENGTH).context("the prefix is too short for the header")?;
    ensure!(
        place.iter().all(|byte| *byte == 0),
        "the prefix has no zeroed room for the header at {OFFSET:#x}"
    );
    place.copy_from_slice(&header.to_bytes());
    Ok(image)
}

/// Whether so many bytes are within the budget of `plan`: of the image, and of a ROM as a whole.
pub fn check_budget(plan: &ImagePlan, length: usize) -> Result<()> {
    ensure!(
        length <= plan.budget,
        "{} has {length} bytes and its budget is {}: make it smaller, or raise `budget` in {}.toml and say why",
        plan.name,
        plan.budget,
        if plan.card.is_some() { "rom" } else { &plan.driver_set },
    );
    Ok(())
}

/// `image` with `script` appended, in place of one that may be there already.
pub fn embed_script(image: &[u8], script: &[u8]) -> Result<Vec<u8>> {
    let header = ImageHeader::read(image).context("this is not one of our images")?;
    let body = image.get(..usize::try_from(header.image_length)?).context("the image is truncated")?;
    let mut image = body.to_vec();
    image.extend(script);
    let header = ImageHeader { script_length: script.len().try_into()?, ..header };
    let place = image.get_mut(OFFSET..OFFSET + LENGTH).context("the image is truncated")?;
    place.copy_from_slice(&header.to_bytes());
    Ok(image)
}

/// Fills up with zeros to a multiple of four bytes.
fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variants::Packing;

    fn plan() -> ImagePlan {
        ImagePlan {
            name: "some.kpxe".to_owned(),
            driver_set: "some".to_owned(),
            drivers: 1,
            native: Vec::new(),
            features: Vec::new(),
            card: None,
            is_split: false,
            packing: Packing::Quick,
            on_request: false,
            prefix: "pxe".to_owned(),
            keep: 1,
            medium: None,
            budget: 4096,
        }
    }

    fn payload() -> Payload {
        Payload {
            packed: b"packed".to_vec(),
            build_id: *b"build id",
            lengths: [0x1000, 0x2000, 0x3000],
            bss_length: 0x4000,
            low_length: 5,
            low_memory_length: 0x6000,
        }
    }

    fn front() -> Vec<u8> {
        let mut front = vec![0xff; OFFSET + LENGTH + 13];
        front[OFFSET..OFFSET + LENGTH].fill(0);
        front
    }

    #[test]
    fn the_header_tells_where_everything_is() {
        let image = image(&plan(), &front(), &payload()).unwrap();
        let header = ImageHeader::read(&image).unwrap();
        assert_eq!(header.image_length as usize, image.len());
        assert_eq!(image.len() % 4, 0);
        let packed = &image[header.payload_offset as usize..][..header.payload_length as usize];
        assert_eq!(packed, b"packed");
        assert_eq!(image[..OFFSET], front()[..OFFSET]);
        assert_eq!((header.build_id, header.keep, header.script_length), (*b"build id", 1, 0));
        assert_eq!(header.drivers, plan().drivers);
        let lengths = [header.core_text_length, header.core_rodata_length, header.core_data_length];
        assert_eq!(lengths, [0x1000, 0x2000, 0x3000]);
        assert_eq!(
            (header.core_bss_length, header.low_length, header.low_memory_length),
            (0x4000, 5, 0x6000)
        );
    }

    #[test]
    fn an_image_over_its_budget_is_refused_with_both_numbers() {
        let error = image(&ImagePlan { budget: 50, ..plan() }, &front(), &payload()).unwrap_err().to_string();
        assert!(error.contains("108 bytes") && error.contains("budget is 50"), "{error}");
    }

    #[test]
    fn a_prefix_without_room_for_the_header_is_refused() {
        assert!(image(&plan(), &[0; OFFSET], &payload()).is_err());
        assert!(image(&plan(), &[1; 200], &payload()).is_err());
    }

    #[test]
    fn a_script_is_appended_and_replaced() {
        let plain = image(&plan(), &front(), &payload()).unwrap();
        let first = embed_script(&plain, b"#!ipxe\nshell\n").unwrap();
        assert_eq!(ImageHeader::read(&first).unwrap().script_length, 13);
        assert_eq!(&first[plain.len()..], b"#!ipxe\nshell\n");
        let second = embed_script(&first, b"#!ipxe\n").unwrap();
        assert_eq!(&second[plain.len()..], b"#!ipxe\n");
        assert_eq!(embed_script(&second, b"").unwrap(), plain);
    }

    #[test]
    fn scripts_go_into_whole_images_of_ours_only() {
        let plain = image(&plan(), &front(), &payload()).unwrap();
        assert!(embed_script(&plain[..plain.len() - 1], b"#!ipxe").is_err());
        assert!(embed_script(&[0; 200], b"#!ipxe").is_err());
    }
}
