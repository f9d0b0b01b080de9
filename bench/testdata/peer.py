"""The vendor's library as a peer: does on request, many times over, what is measured.

A request is a JSON object on a line of standard input; the answer, a line of JSON, comes
when it has been done.
"""

import json
import sys

import paho.mqtt.client
import ulogger_cloud


def validate(r):
    log = bytearray.fromhex(r["log"])
    good = True
    for _ in range(r["n"]):
        good = ulogger_cloud.validate_checksum(log) and good
    return good


def device(r):
    return ulogger_cloud.DeviceInfo(
        application_id=7, device_serial=r["serial"], device_type="lamp", git_version="v1.0.0", git_hash="3f2c9a1"
    )


def upload(r):
    """Each upload as a program makes it that has one log: no connection, no token."""
    log = bytearray.fromhex(r["log"])
    config = ulogger_cloud.MqttConfig(broker="127.0.0.1", port=r["port"], customer_id=42)
    good = True
    for _ in range(r["n"]):
        good = ulogger_cloud.upload_log(device(r), bytearray(log), config, store=ulogger_cloud.SessionStore()) and good
    return good


def upload_many(r):
    """All over one connection, which the program lends, and with one token."""
    log = bytearray.fromhex(r["log"])
    client = paho.mqtt.client.Client(callback_api_version=paho.mqtt.client.CallbackAPIVersion.VERSION2, client_id="many")
    client.connect("127.0.0.1", r["port"])
    client.loop_start()
    config = ulogger_cloud.MqttConfig(client=client, customer_id=42)
    store = ulogger_cloud.SessionStore()
    good = True
    for _ in range(r["n"]):
        good = ulogger_cloud.upload_log(device(r), bytearray(log), config, store=store) and good
    # What is only queued when a call returns is on its way before this ends.
    done = client.publish("ping", b"", qos=1)
    done.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()
    return good


for line in sys.stdin:
    request = json.loads(line)
    work = {"validate": validate, "upload": upload, "upload_many": upload_many}[request["do"]]
    print(json.dumps({"good": bool(work(request))}), flush=True)
