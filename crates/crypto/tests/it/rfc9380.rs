//! The hash-to-curve vectors of RFC 9380, appendices J.9.1, J.9.2, J.10.1 and J.10.2.

use bls12_381::{G1Affine, G2Affine};
use quorate_crypto::bls::{encode_to_g1, encode_to_g2, hash_to_g1, hash_to_g2};

/// Group and mapping, message, and the point uncompressed (of a G2 coordinate the imaginary part comes first).
const ROWS: [(&str, &str, &str); 8] = [
    (
        "g1 NU",
        "",
        concat!(
            "184bb665c37ff561a89ec2122dd343f20e0f4cbcaec84e3c3052ea81d1834e192c426074b02ed3dca4e7676ce4ce48ba",
            "04407b8d35af4dacc809927071fc0405218f1401a6d15af775810e4e460064bcc9468beeba82fdc751be70476c888bf3",
        ),
    ),
    (
        "g1 NU",
        "abc",
        concat!(
            "009769f3ab59bfd551d53a5f846b9984c59b97d6842b20a2c565baa167945e3d026a3755b6345df8ec7e6acb6868ae6d",
            "1532c00cf61aa3d0ce3e5aa20c3b531a2abd2c770a790a2613818303c6b830ffc0ecf6c357af3317b9575c567f11cd2c",
        ),
    ),
    (
        "g1 RO",
        "",
        concat!(
            "052926add2207b76ca4fa57a8734416c8dc95e24501772c814278700eed6d1e4e8cf62d9c09db0fac349612b759e79a1",
            "08ba738453bfed09cb546dbb0783dbb3a5f1f566ed67bb6be0e8c67e2e81a4cc68ee29813bb7994998f3eae0c9c6a265",
        ),
    ),
    (
        "g1 RO",
        "abc",
        concat!(
            "03567bc5ef9c690c2ab2ecdf6a96ef1c139cc0b2f284dca0a9a7943388a49a3aee664ba5379a7655d3c68900be2f6903",
            "0b9c15f3fe6e5cf4211f346271d7b01c8f3b28be689c8429c85b67af215533311f0b8dfaaa154fa6b88176c229f2885d",
        ),
    ),
    (
        "g2 NU",
        "",
        concat!(
            "126b855e9e69b1f691f816e48ac6977664d24d99f8724868a184186469ddfd4617367e94527d4b74fc86413483afb35b",
            "00e7f4568a82b4b7dc1f14c6aaa055edf51502319c723c4dc2688c7fe5944c213f510328082396515734b6612c4e7bb7",
            "1498aadcf7ae2b345243e281ae076df6de84455d766ab6fcdaad71fab60abb2e8b980a440043cd305db09d283c895e3d",
            "0caead0fd7b6176c01436833c79d305c78be307da5f6af6c133c47311def6ff1e0babf57a0fb5539fce7ee12407b0a42",
        ),
    ),
    (
        "g2 NU",
        "abc",
        concat!(
            "0296238ea82c6d4adb3c838ee3cb2346049c90b96d602d7bb1b469b905c9228be25c627bffee872def773d5b2a2eb57d",
            "108ed59fd9fae381abfd1d6bce2fd2fa220990f0f837fa30e0f27914ed6e1454db0d1ee957b219f61da6ff8be0d6441f",
            "153606c417e59fb331b7ae6bce4fbf7c5190c33ce9402b5ebe2b70e44fca614f3f1382a3625ed5493843d0b0a652fc3f",
            "033f90f6057aadacae7963b0a0b379dd46750c1c94a6357c99b65f63b79e321ff50fe3053330911c56b6ceea08fee656",
        ),
    ),
    (
        "g2 RO",
        "",
        concat!(
            "05cb8437535e20ecffaef7752baddf98034139c38452458baeefab379ba13dff5bf5dd71b72418717047f5b0f37da03d",
            "0141ebfbdca40eb85b87142e130ab689c673cf60f1a3e98d69335266f30d9b8d4ac44c1038e9dcdd5393faf5c41fb78a",
            "12424ac32561493f3fe3c260708a12b7c620e7be00099a974e259ddc7d1f6395c3c811cdd19f1e8dbf3e9ecfdcbab8d6",
            "0503921d7f6a12805e72940b963c0cf3471c7b2a524950ca195d11062ee75ec076daf2d4bc358c4b190c0c98064fdd92",
        ),
    ),
    (
        "g2 RO",
        "abc",
        concat!(
            "139cddbccdc5e91b9623efd38c49f81a6f83f175e80b06fc374de9eb4b41dfe4ca3a230ed250fbe3a2acf73a41177fd8",
            "02c2d18e033b960562aae3cab37a27ce00d80ccd5ba4b7fe0e7a210245129dbec7780ccc7954725f4168aff2787776e6",
            "00aa65dae3c8d732d10ecd2c50f8a1baf3001578f71c694e03866e9f3d49ac1e1ce70dd94a733534f106d4cec0eddd16",
            "1787327b68159716a37440985269cf584bcb1e621d3a7202be6ea05c4cfe244aeb197642555a0645fb87bf7466b2ba48",
        ),
    ),
];

#[test]
fn embedded_vectors() {
    for (suite, message, point) in ROWS {
        let (group, mapping) = suite.split_once(' ').unwrap();
        let dst = format!(
            "QUUX-V01-CS02-with-BLS12381{}_XMD:SHA-256_SSWU_{mapping}_",
            group.to_uppercase()
        );
        check(group, &dst, message, point);
    }
}

#[test]
fn all_vectors() {
    let Some(text) = crate::shared_vectors("rfc9380-hash-to-curve.txt") else {
        return;
    };
    let mut count = 0;
    for line in text.lines().filter(|line| !line.is_empty()) {
        let fields: Vec<&str> = line.split('|').collect();
        let [group, dst, message, point] = fields[..] else {
            panic!("four fields in {line}");
        };
        check(group, dst, message, point);
        count += 1;
    }
    assert_eq!(count, 20);
}

fn check(group: &str, dst: &str, message: &str, point: &str) {
    let uniform = dst.ends_with("RO_");
    let (message, tag, expected) = (
        message.as_bytes(),
        dst.as_bytes(),
        hex::decode(point).unwrap(),
    );
    match group {
        "g1" => {
            let point = if uniform {
                hash_to_g1(message, tag)
            } else {
                encode_to_g1(message, tag)
            };
            let expected = G1Affine::from_uncompressed(&expected.try_into().unwrap()).unwrap();
            assert_eq!(point.to_bytes(), expected.to_compressed(), "{dst}");
        }
        "g2" => {
            let point = if uniform {
                hash_to_g2(message, tag)
            } else {
                encode_to_g2(message, tag)
            };
            let expected = G2Affine::from_uncompressed(&expected.try_into().unwrap()).unwrap();
            assert_eq!(point.to_bytes(), expected.to_compressed(), "{dst}");
        }
        other => panic!("unknown group {other}"),
    }
}
