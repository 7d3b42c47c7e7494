//! Which offers and answers are accepted in which mode, and what is selected from them.

use proptest::prelude::*;

use super::*;

mod encryption;

const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

fn offer(profile: &str, payloads: &str, attributes: &[&str]) -> String {
    let mut text = format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 40000 {profile} {payloads}\r\n"
    );
    for attribute in attributes {
        text.extend(["a=", attribute, "\r\n"]);
    }
    text
}

fn check(mode: &MediaEncryptionMode, sdp: &str) -> Result<Media, MediaRefusal> {
    negotiate(mode, &Settings::default(), Some(sdp.as_bytes())).map(Option::unwrap)
}

/// The answer to an offer of a new session.
fn take_answer(
    mode: &MediaEncryptionMode,
    settings: &Settings,
    sdp: Option<&[u8]>,
) -> Result<Media, MediaRefusal> {
    OwnOffer::new(mode, settings, None).take_answer(mode, sdp)
}

fn own_offer(mode: &MediaEncryptionMode, settings: &Settings) -> (Profile, Vec<Codec>) {
    let offer = OwnOffer::new(mode, settings, None);
    (offer.profile, offer.codecs.iter().map(|(_, codec)| *codec).collect())
}

fn signalling_only() -> Settings {
    Settings { dtls_signalling_only: true, ..Settings::default() }
}

fn refused(mode: &MediaEncryptionMode, sdp: &str) -> MediaRefusal {
    check(mode, sdp).unwrap_err()
}

#[test]
fn an_ordinary_offer_is_read_for_the_check_and_for_the_media() {
    let sdp = offer(
        "RTP/AVP",
        "96 8 0 101",
        &["rtpmap:96 opus/48000/2", "rtpmap:101 telephone-event/8000", "ptime:20", "sendonly", "rtcp:40009"],
    );
    let media = check(&MediaEncryptionMode::Disabled, &sdp).unwrap();
    assert_eq!((media.codec, media.payload_type, media.telephone_event), (Codec::Pcma, 8, Some(101)));
    assert_eq!((media.port, media.rtcp_port, media.packet_time), (40_000, 40_009, Some(20)));
    assert_eq!(media.host, MediaHost::Address("192.0.2.1".parse().unwrap()));
    assert_eq!((media.direction, media.protection), (Direction::SendOnly, Protection::Plain));
}

#[test]
fn codecs_that_didww_does_not_document_come_after_the_others_in_the_order_of_the_offer() {
    let opus = ["rtpmap:96 opus/48000/2", "fmtp:96 useinbandfec=1", "rtpmap:97 iLBC/8000"];
    let chosen = |payloads: &str, attributes: &[&str]| {
        let media = check(&MediaEncryptionMode::Disabled, &offer("RTP/AVP", payloads, attributes)).unwrap();
        (media.codec, media.payload_type)
    };
    assert_eq!(chosen("96 97 9 3", &opus), (Codec::Gsm, 3));
    assert_eq!(chosen("97 96 9", &opus), (Codec::Ilbc, 97));
    assert_eq!(chosen("9 96", &opus), (Codec::G722, 9));
    assert_eq!(
        refused(&MediaEncryptionMode::Disabled, &offer("RTP/AVP", "96", &["rtpmap:96 opus/8000"])),
        MediaRefusal::NoCodec("opus/8000".to_owned()),
        "that is another clock rate"
    );
    let sdp = offer(
        "RTP/AVP",
        "96 101 102",
        &[opus[0], opus[1], "rtpmap:101 telephone-event/8000", "rtpmap:102 telephone-event/48000"],
    );
    let media = check(&MediaEncryptionMode::Disabled, &sdp).unwrap();
    assert_eq!(media.format_parameters.as_deref(), Some("useinbandfec=1"));
    assert_eq!((media.telephone_event, media.telephone_event_rate), (Some(102), 48_000));
}

#[test]
fn the_payload_types_that_may_arrive_are_the_selected_one_or_those_of_an_answer() {
    let sdp = offer("RTP/AVP", "0 8 101", &["rtpmap:101 telephone-event/8000"]);
    assert_eq!(check(&MediaEncryptionMode::Disabled, &sdp).unwrap().payload_types, [0]);
    let answer = take_answer(&MediaEncryptionMode::Disabled, &Settings::default(), Some(sdp.as_bytes()));
    assert_eq!(answer.unwrap().payload_types, [0, 8]);
}

#[test]
fn lines_that_are_no_text_or_have_no_type_change_nothing() {
    let attributes = ["rtpmap:101 telephone-event/8000", "ptime:20", "sendonly"];
    let plain = offer("RTP/AVP", "8 101", &attributes);
    let read = |sdp: &[u8]| negotiate(&MediaEncryptionMode::Disabled, &Settings::default(), Some(sdp));
    let expected = read(plain.as_bytes());
    assert!(matches!(expected, Ok(Some(_))));
    let lines: [&[u8]; 8] = [
        b"i=caf\xe9\r\n",
        b"\xe9=x\r\n",
        "\u{e9}=x\r\n".as_bytes(),
        "i=caf\u{e9}\r\n".as_bytes(),
        b"mm=audio\r\n",
        b"aa=recvonly\r\n",
        b"=\r\n",
        b"a\r\n",
    ];
    for line in lines {
        let behind = [plain.as_bytes(), line].concat();
        assert_eq!(read(&behind), expected, "{line:?}");
        let (version, rest) = plain.as_bytes().split_at(b"v=0\r\n".len());
        assert_eq!(read(&[version, line, rest].concat()), expected, "{line:?}");
        let before = [line, plain.as_bytes()].concat();
        assert_eq!(read(&before), Err(MediaRefusal::Unparsable(SdpError::NotSdp)), "{line:?}");
    }
}

#[test]
fn each_refusal_has_its_warning() {
    let mode = MediaEncryptionMode::Disabled;
    let plain = offer("RTP/AVP", "8", &[]);
    for (sdp, code) in [
        (offer("RTP/SAVP", "8", &[]), 302),
        (offer("RTP/AVP", "99", &[]), 305),
        (plain.replace("m=audio", "m=video"), 304),
        (plain.replace("c=IN IP4", "c=ATM NSAP"), 301),
        (plain.replace("c=IN IP4 192.0.2.1", &format!("c=IN IP4 {}", "h".repeat(254))), 301),
        (plain.replace("m=audio 40000", "m=audio x"), 399),
    ] {
        assert_eq!(refused(&mode, &sdp).warning().code, code, "{sdp}");
    }
    let savp = offer("RTP/SAVP", "8", &[]);
    assert_eq!(refused(&MediaEncryptionMode::SrtpSdes, &savp).warning().code, 306);
}

#[test]
fn the_direction_is_that_of_the_stream_else_of_the_session_and_an_unspecified_address_receives_nothing() {
    let mode = MediaEncryptionMode::Disabled;
    for (session, stream, at, expected) in [
        ("", "", "192.0.2.1", Direction::SendRecv),
        ("a=inactive\r\n", "", "192.0.2.1", Direction::Inactive),
        ("a=sendonly\r\n", "sendrecv", "192.0.2.1", Direction::SendRecv),
        ("", "", "0.0.0.0", Direction::SendOnly),
        ("", "recvonly", "0.0.0.0", Direction::Inactive),
        ("", "sendonly", "0.0.0.0", Direction::SendOnly),
    ] {
        let attributes: &[&str] = if stream.is_empty() { &[] } else { &[stream] };
        let sdp = offer("RTP/AVP", "8", attributes)
            .replace("t=0 0\r\n", &format!("t=0 0\r\n{session}"))
            .replace("c=IN IP4 192.0.2.1", &format!("c=IN IP4 {at}"));
        assert_eq!(check(&mode, &sdp).unwrap().direction, expected, "{sdp}");
    }
}

#[test]
fn an_offer_whose_audio_has_port_zero_removes_it_from_the_call() {
    let out = offer("RTP/AVP", "8", &[]).replace("40000", "0") + "m=video 5000 RTP/AVP 96\r\n";
    let lines = taken_out(out.as_bytes()).unwrap();
    assert_eq!(lines, ["audio 0 RTP/AVP 8", "video 5000 RTP/AVP 96"]);
    assert_eq!(
        taken_out((out.clone() + "m=audio 4000 RTP/AVP 18\r\n").as_bytes()),
        None,
        "another audio stream remains"
    );
    let fax = out + "m=image 6000 udptl t38\r\n";
    assert_eq!(taken_out(fax.as_bytes()), None, "fax replaces the audio");
    assert_eq!(taken_out(fax.replace("image 6000", "image 0").as_bytes()).unwrap().len(), 3);
    assert_eq!(taken_out(b"v=0\r\nm=video 5000 RTP/AVP 96\r\n"), None);
    assert_eq!(taken_out(b"hello"), None);
}

#[test]
fn no_offer_is_a_late_offer_and_accepted_in_every_mode_that_is_implemented() {
    for mode in MediaEncryptionMode::TEXTS.iter().map(|mode| MediaEncryptionMode::from(*mode)) {
        for body in [None, Some(&b"\r\n"[..])] {
            let expected = match mode {
                MediaEncryptionMode::SrtpDtls => Err(MediaRefusal::DtlsNotImplemented),
                _ => Ok(None),
            };
            assert_eq!(negotiate(&mode, &Settings::default(), body), expected);
            assert_eq!(negotiate(&mode, &signalling_only(), body), Ok(None));
        }
    }
}

#[test]
fn the_answer_to_an_offer_of_our_own_must_have_what_was_offered() {
    let answer = |mode: &MediaEncryptionMode, sdp: &str| {
        take_answer(mode, &Settings::default(), Some(sdp.as_bytes())).map(|media| media.codec)
    };
    let (plain, sdes) = (MediaEncryptionMode::Disabled, MediaEncryptionMode::SrtpSdes);
    assert_eq!(answer(&plain, &offer("RTP/AVP", "0", &[])), Ok(Codec::Pcmu));
    assert_eq!(answer(&MediaEncryptionMode::Zrtp, &offer("RTP/AVP", "8", &[])), Ok(Codec::Pcma));
    let profile = |name: &str| Err(MediaRefusal::Profile(name.to_owned()));
    assert_eq!(answer(&plain, &offer("RTP/SAVP", "0", &[])), profile("RTP/SAVP"));
    assert_eq!(answer(&plain, &offer("RTP/AVPF", "0", &[])), profile("RTP/AVPF"));
    assert!(matches!(answer(&plain, &offer("RTP/AVP", "18", &[])), Err(MediaRefusal::NoCodec(_))));
    let off = offer("RTP/AVP", "0", &[]).replace("40000", "0");
    assert_eq!(answer(&plain, &off), Err(MediaRefusal::StreamRefused));
    assert_eq!(answer(&plain, ""), Err(MediaRefusal::NoAnswer));
    assert_eq!(take_answer(&plain, &Settings::default(), None), Err(MediaRefusal::NoAnswer));

    let key = |tag: u32, suite: &str| format!("crypto:{tag} {suite} inline:{KEY}");
    assert_eq!(answer(&sdes, &offer("RTP/SAVP", "8", &[&key(1, SRTP_SUITES[0])])), Ok(Codec::Pcma));
    for wrong in [key(2, SRTP_SUITES[0]), key(1, SRTP_SUITES[1]), "crypto:x".to_owned()] {
        assert_eq!(answer(&sdes, &offer("RTP/SAVP", "8", &[&wrong])), Err(MediaRefusal::NoKey), "{wrong}");
    }
    assert_eq!(answer(&sdes, &offer("RTP/AVP", "8", &[&key(1, SRTP_SUITES[0])])), profile("RTP/AVP"));
}

#[test]
fn an_offer_of_our_own_has_the_profile_that_the_mode_demands_and_codecs_that_are_accepted() {
    let of = |mode| own_offer(&mode, &Settings::default());
    assert_eq!(of(MediaEncryptionMode::Disabled), (Profile::Avp, OFFERED_CODECS.to_vec()));
    assert_eq!(of(MediaEncryptionMode::Zrtp).0, Profile::Avp);
    assert_eq!(of(MediaEncryptionMode::SrtpSdes).0, Profile::Savp);
    assert_eq!(of(MediaEncryptionMode::SrtpDtls).0, Profile::DtlsSavp);
    let settings = |codecs: &[Codec]| Settings { codecs: codecs.to_vec(), ..Settings::default() };
    let codecs = |accepted: &[Codec]| own_offer(&MediaEncryptionMode::Disabled, &settings(accepted)).1;
    assert_eq!(codecs(&[Codec::G729, Codec::Pcmu]), [Codec::Pcmu]);
    assert_eq!(codecs(&[Codec::G729]), [Codec::G729]);
}

#[test]
fn a_later_offer_keeps_the_streams_the_profile_and_the_codec_of_its_session() {
    let settings = Settings::default();
    let mode = MediaEncryptionMode::Disabled;
    let video = |sdp: &str| sdp.replace("m=audio", "m=video 5000 RTP/AVP 97 98\r\nm=audio");
    let agreed = |mode: &MediaEncryptionMode, sdp: &str| {
        Agreed::of(&check(mode, sdp).unwrap(), mode, &Settings::default())
    };
    assert_eq!(agreed(&mode, &offer("RTP/AVP", "0 8 101", &[])), None, "a new offer is as good");

    let sdp = video(&offer("RTP/AVP", "18 96", &["rtpmap:96 telephone-event/8000"]));
    let known = agreed(&mode, &sdp).unwrap();
    let own = OwnOffer::new(&mode, &settings, Some(&known));
    assert_eq!(own.stream, 1);
    assert_eq!(own.others, [Box::<str>::from("video 0 RTP/AVP 97")]);
    assert_eq!(own.codecs, [(18, Codec::G729), (8, Codec::Pcma), (0, Codec::Pcmu)]);
    assert_eq!((own.profile, own.telephone_event, own.suite), (Profile::Avp, 96, None));
    // Of an answer without the disabled stream, both are kept.
    for answer in [sdp.clone(), offer("RTP/AVP", "18", &[])] {
        let media = own.take_answer(&mode, Some(answer.as_bytes())).unwrap();
        assert_eq!((media.codec, media.stream, media.lines.len()), (Codec::G729, 1, 2));
        let kept = Agreed::of(&media, &mode, &settings).unwrap();
        let next = OwnOffer::new(&mode, &settings, Some(&kept));
        assert_eq!((next.stream, next.others), (own.stream, own.others));
    }
    assert_eq!(
        own.completed_lines(&["audio 0 RTP/AVP 18".to_owned()], 0),
        ["video 0 RTP/AVP 97", "audio 0 RTP/AVP 18"]
    );
    let off = sdp.replace("40000", "0");
    assert_eq!(own.take_answer(&mode, Some(off.as_bytes())), Err(MediaRefusal::StreamRefused));

    // The number of the usual telephone events is that of the codec.
    let known = agreed(&mode, &offer("RTP/AVPF", "101", &["rtpmap:101 opus/48000/2"])).unwrap();
    let own = OwnOffer::new(&mode, &settings, Some(&known));
    assert_eq!((own.codecs[0], own.telephone_event), ((101, Codec::Opus), 102));
    assert_eq!(own.profile, Profile::Avpf);

    let mode = MediaEncryptionMode::SrtpSdes;
    let key = format!("crypto:1 {} inline:{KEY}", SRTP_SUITES[1]);
    let sdp = offer("RTP/AVP", "8", &[&key]);
    let known = agreed(&mode, &sdp).unwrap();
    let own = OwnOffer::new(&mode, &settings, Some(&known));
    assert_eq!((own.profile, own.suite), (Profile::Avp, Some(SRTP_SUITES[1])));
    assert!(own.take_answer(&mode, Some(sdp.as_bytes())).is_ok());
    let other = sdp.replace(SRTP_SUITES[1], SRTP_SUITES[0]);
    assert_eq!(own.take_answer(&mode, Some(other.as_bytes())), Err(MediaRefusal::NoKey));

    let many = "m=video 5000 RTP/AVP 97\r\n".repeat(8) + "m=audio";
    let many = agreed(&MediaEncryptionMode::Disabled, &offer("RTP/AVP", "18", &[]).replace("m=audio", &many));
    let own = OwnOffer::new(&mode, &settings, many.as_deref());
    assert_eq!((own.stream, own.others.len()), (0, 0), "a bound on what a session keeps");
}

#[test]
fn removed_audio_stays_removed_in_later_offers_and_comes_back_in_its_place() {
    let long = format!("application 9 {} 1", "X".repeat(100));
    let lines = ["video 5000 RTP/AVP 96 97", "audio 0 RTP/AVP 8 0", long.as_str()].map(str::to_owned);
    let removed = Removed::of(&lines);
    let kept = ["video 0 RTP/AVP 96 97", "audio 0 RTP/AVP 8 0", "audio 0 RTP/AVP 0"];
    assert_eq!(removed.lines(), kept);
    let own = removed.restored(OwnOffer::new(&MediaEncryptionMode::Disabled, &Settings::default(), None));
    assert_eq!(own.stream, 1);
    assert_eq!(own.others, [Box::<str>::from(kept[0]), Box::<str>::from(kept[2])]);

    let many: Vec<String> = std::iter::repeat_n("audio 0 RTP/AVP 8".to_owned(), 9).collect();
    assert!(Removed::of(&many).lines().is_empty(), "a bound on what a session keeps");
}

#[test]
fn an_answer_repeats_the_time_of_the_offer_where_it_can() {
    let time = |line: &str| {
        let sdp = offer("RTP/AVP", "8", &[]).replace("t=0 0", line);
        check(&MediaEncryptionMode::Disabled, &sdp).unwrap().time
    };
    assert_eq!(
        (time("t=3034423619 3042462419"), time("t=x 0"), time("s=x")),
        ("3034423619 3042462419".into(), "0 0".into(), "0 0".into())
    );
}

#[test]
fn codecs_are_known_by_static_number_and_by_name() {
    let mode = MediaEncryptionMode::Disabled;
    for (payloads, attributes, codec) in [
        ("18", &[][..], Codec::G729),
        ("4", &[], Codec::G723),
        ("3", &[], Codec::Gsm),
        ("97", &["rtpmap:97 pcmu/8000/1"], Codec::Pcmu),
        ("18", &["rtpmap:18 G729a/8000"], Codec::G729),
        ("96", &["rtpmap:96 g729AB/8000"], Codec::G729),
        ("9", &["rtpmap:9 G722/16000/1"], Codec::G722),
    ] {
        assert_eq!(check(&mode, &offer("RTP/AVP", payloads, attributes)).unwrap().codec, codec);
    }
}

#[test]
fn an_offer_without_a_common_codec_is_refused_by_name() {
    let mode = MediaEncryptionMode::Disabled;
    let sdp = offer("RTP/AVP", "96 101", &["rtpmap:96 speex/16000", "rtpmap:101 telephone-event/8000"]);
    assert_eq!(refused(&mode, &sdp), MediaRefusal::NoCodec("speex/16000 telephone-event/8000".to_owned()));
    // An `a=rtpmap` overrides a static payload type.
    let mapped = offer("RTP/AVP", "8", &["rtpmap:8 PCMA/16000"]);
    assert!(matches!(refused(&mode, &mapped), MediaRefusal::NoCodec(_)));
}

#[test]
fn the_first_audio_stream_that_fits_is_chosen_and_the_others_are_listed() {
    let sdp = offer("RTP/SAVP", "8", &[])
        + "m=video 50000 RTP/AVP 96\r\nm=audio 41000 RTP/AVP 0\r\nc=IN IP6 2001:db8::1\r\n";
    let media = check(&MediaEncryptionMode::Disabled, &sdp).unwrap();
    assert_eq!((media.stream, media.port, media.lines.len()), (2, 41_000, 3));
    assert_eq!(media.host, MediaHost::Address("2001:db8::1".parse().unwrap()));
    assert_eq!(media.lines[1], "video 50000 RTP/AVP 96");
}

#[test]
fn a_malformed_line_of_another_stream_refuses_that_stream_alone() {
    let mode = MediaEncryptionMode::Disabled;
    let audio = offer("RTP/AVP", "8", &[]);
    let video = "m=video x RTP/AVP 31\r\nc=ATM NSAP x\r\na=sendonly\r\n";
    let (session, stream) = audio.split_at(audio.find("m=audio").unwrap());
    for (sdp, at) in [(format!("{audio}{video}"), 0), (format!("{session}{video}{stream}"), 1)] {
        let media = check(&mode, &sdp).unwrap();
        assert_eq!((media.stream, media.port, media.direction), (at, 40_000, Direction::SendRecv), "{sdp}");
        assert_eq!(media.lines[1 - at], "video x RTP/AVP 31");
    }
    // What the answer would have to repeat is missing, or the audio itself is malformed.
    for malformed in ["m=video\r\n", "m=audio x RTP/AVP 8\r\n", "m=audio 4000 RTP/AVP 8\r\nc=x\r\n"] {
        let refusal = refused(&mode, &format!("{audio}{malformed}"));
        assert!(matches!(refusal, MediaRefusal::Unparsable(SdpError::Line(_))), "{malformed}");
    }
}

#[test]
fn an_offer_that_is_none_or_has_no_audio_is_refused() {
    let mode = MediaEncryptionMode::Disabled;
    assert_eq!(refused(&mode, "hello"), MediaRefusal::Unparsable(SdpError::NotSdp));
    assert_eq!(refused(&mode, "v=0\r\ns=-\r\n"), MediaRefusal::NoAudio);
    assert_eq!(refused(&mode, &offer("RTP/AVP", "8", &[]).replace("40000", "0")), MediaRefusal::NoAudio);
    assert!(matches!(refused(&mode, "v=0\nm=audio x\n"), MediaRefusal::Unparsable(SdpError::Line(_))));
    let nowhere = "v=0\nm=audio 4000 RTP/AVP 8\n";
    assert_eq!(refused(&mode, nowhere), MediaRefusal::Unparsable(SdpError::NoConnection));
    assert!(matches!(refused(&mode, &offer("udptl", "t38", &[])), MediaRefusal::Profile(_)));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..100),
        lines in proptest::collection::vec("[mca]=[ -~]{0,30}", 0..10),
        attributes in proptest::collection::vec("(rtpmap|crypto|fingerprint|setup|rtcp|ptime)[ -~]{0,30}", 0..6)
    ) {
        let attributes: Vec<&str> = attributes.iter().map(String::as_str).collect();
        let crafted = offer("RTP/SAVP", "8 0", &attributes);
        for mode in MediaEncryptionMode::TEXTS.iter().map(|mode| MediaEncryptionMode::from(*mode)) {
            let settings = signalling_only();
            let _ = negotiate(&mode, &settings, Some(&bytes));
            let _ = take_answer(&mode, &settings, Some(crafted.as_bytes()));
            let _ = negotiate(&mode, &settings, Some(format!("v=0\n{}", lines.join("\n")).as_bytes()));
            let _ = negotiate(&mode, &settings, Some(crafted.as_bytes()));
        }
    }
}
