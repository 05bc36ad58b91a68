"""Conformance: what is sent is what is received, once, in order, under valid names."""

# ruff: noqa: PT009, PT027 (unittest's own assertions, so that any test runner can run them and say what differs)

from channels.test.conformance.base import CONTENT, LayerTests


class MessageTests(LayerTests):
    """Tests of sending and receiving single messages."""

    def test_receive_returns_what_was_sent(self) -> None:
        """A message arrives on the channel it was sent to, as it was sent."""
        layer = self.new_layer()
        layer.send("test.channel", CONTENT)
        self.assertEqual(layer.receive(["test.channel"]), ("test.channel", CONTENT))

    def test_receive_takes_each_message_once(self) -> None:
        """What was received is gone."""
        layer = self.new_layer()
        layer.send("test.channel", CONTENT)
        layer.receive(["test.channel"])
        self.assertEqual(layer.receive(["test.channel"]), (None, None))

    def test_receive_of_no_channels_returns_nothing(self) -> None:
        """Receiving from an empty list is allowed and yields nothing."""
        self.assertEqual(self.new_layer().receive([]), (None, None))

    def test_receive_leaves_other_channels_alone(self) -> None:
        """Only the channels asked for are read."""
        layer = self.new_layer()
        layer.send("test.other", CONTENT)
        self.assertEqual(layer.receive(["test.channel"]), (None, None))

    def test_messages_of_one_channel_keep_their_order(self) -> None:
        """One reader gets what one writer sent in the order it was sent."""
        layer = self.new_layer(capacity=100)
        for channel, read_from in (("test.single?reader", "test.single?reader"), ("test.process!one", "test.process!")):
            for number in range(20):
                layer.send(channel, {"number": number})
            self.assertEqual([c["number"] for _, c in self.take_all(layer, [read_from])], list(range(20)))

    def test_values_keep_their_types(self) -> None:
        """Bytes stay bytes and text stays text, at any depth."""
        content = {
            "text": "\u00e9\u4e16\U0001f600\x00\n",
            "bytes": bytes(range(256)),
            "int": -(2**63),
            "float": 0.1,
            "bool": True,
            "none": None,
            "list": [[b"a", "a"], {"b": b"b", "s": "s"}],
            "empty": {"text": "", "bytes": b"", "list": [], "dict": {}},
        }
        layer = self.new_layer()
        layer.send("test.channel", content)
        received = layer.receive(["test.channel"])[1]
        self.assertEqual(received, content)
        self.assertIs(type(received["int"]), int)
        self.assertIs(type(received["float"]), float)
        self.assertIs(received["bool"], True)

    def test_tuple_arrives_as_list(self) -> None:
        """Tuples count as lists, whatever the layer keeps messages in."""
        layer = self.new_layer()
        layer.send("test.channel", {"headers": ((b"a", b"b"),)})
        self.assertEqual(layer.receive(["test.channel"])[1], {"headers": [[b"a", b"b"]]})

    def test_message_of_a_megabyte_arrives(self) -> None:
        """Every layer must carry messages of 1 MB."""
        layer = self.new_layer()
        layer.send("test.channel", {"bytes": b"x" * 1024 * 1024})
        self.assertEqual(len(layer.receive(["test.channel"])[1]["bytes"]), 1024 * 1024)

    def test_changing_a_sent_message_does_not_change_what_arrives(self) -> None:
        """A message is taken as it is when ``send`` is called, at any depth."""
        layer = self.new_layer()
        layer.group_add("group", "test.member")
        content = {"list": [1], "value": 1}
        layer.send("test.channel", content)
        layer.send_group("group", content)
        content["list"].append(2)  # type: ignore[attr-defined]
        content["value"] = 2
        self.assertEqual(layer.receive(["test.channel"])[1], {"list": [1], "value": 1})
        self.assertEqual(layer.receive(["test.member"])[1], {"list": [1], "value": 1})

    def test_message_that_is_no_dict_is_refused(self) -> None:
        """A message is a dict."""
        with self.assertRaises(AssertionError):
            self.new_layer().send("test.channel", "text")

    def test_message_with_the_reserved_key_is_refused(self) -> None:
        """The key that layers use themselves may not be sent."""
        with self.assertRaises(AssertionError):
            self.new_layer().send("test.channel", {"__asgi_channel__": "test.channel"})

    def test_bad_names_are_refused(self) -> None:
        """Whatever takes a name says TypeError to one that is none."""
        layer = self.new_layer()
        for name in ("", "a b", "a/b", "caf\u00e9", "a\n", "x" * 100, "a!b!c", "a?", 7, b"bytes"):
            with self.subTest(name=name):
                for call in (
                    lambda name=name: layer.send(name, {}),
                    lambda name=name: layer.group_add("group", name),
                    lambda name=name: layer.group_discard("group", name),
                    lambda name=name: layer.receive([name]),
                ):
                    self.assertRaises(TypeError, call)
        for group in ("", "a b", "a!b", "a?b", "x" * 100, None):
            with self.subTest(group=group):
                self.assertRaises(TypeError, layer.group_add, group, "test.channel")
                self.assertRaises(TypeError, layer.group_channels, group)
                self.assertRaises(TypeError, layer.send_group, group, {})

    def test_name_of_99_characters_is_allowed(self) -> None:
        """The longest name is 99 characters."""
        layer = self.new_layer()
        layer.send("x" * 99, CONTENT)
        self.assertEqual(layer.receive(["x" * 99])[0], "x" * 99)

    def test_new_channel_begins_with_its_pattern(self) -> None:
        """A new single-reader channel is the pattern and something random, and can be used at once."""
        layer = self.new_layer()
        first, second = layer.new_channel("test.new?"), layer.new_channel("test.new?")
        self.assertNotEqual(first, second)
        self.assertTrue(first.startswith("test.new?"))
        layer.send(first, CONTENT)
        self.assertEqual(layer.receive([first]), (first, CONTENT))

    def test_new_channel_refuses_other_patterns(self) -> None:
        """Process-specific and normal names are not made by the layer."""
        layer = self.new_layer()
        for pattern in ("test!", "test.foo", ""):
            with self.subTest(pattern=pattern), self.assertRaises((TypeError, AssertionError)):
                layer.new_channel(pattern)

    def test_process_queue_returns_full_names(self) -> None:
        """A process reads all its channels by their common prefix and learns which one each message is for."""
        layer = self.new_layer()
        layer.send("test.process!one", {"n": 1})
        layer.send("test.process!two", {"n": 2})
        self.assertEqual(
            self.take_all(layer, ["test.process!"]), [("test.process!one", {"n": 1}), ("test.process!two", {"n": 2})]
        )

    def test_receive_from_a_local_part_is_refused(self) -> None:
        """One channel of a process cannot be read alone."""
        with self.assertRaises(TypeError):
            self.new_layer().receive(["test.process!one"])
