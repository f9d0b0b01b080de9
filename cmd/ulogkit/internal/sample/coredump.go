package sample

import (
	"encoding/binary"
	"errors"

	"github.com/ulogkit/ulogkit/format"
)

// CoreDump returns what the device leaves behind after a read through a stray
// pointer: registers, the top of its stack and the fault registers.
func (d *Device) CoreDump(info format.DeviceInfo) ([]byte, error) {
	const (
		stackTop   = 0x2000_1000
		preciseErr = 1 << 9 // CFSR.PRECISERR: the fault address is exact
		bfarValid  = 1 << 15
		forced     = 1 << 30 // HFSR.FORCED: escalated to a hard fault
	)
	stray := 0x6000_0000 + 4*d.random.Uint32N(1<<20)
	stack := make([]byte, 4*(16+d.random.IntN(48)))
	for i := 0; i < len(stack); i += 4 {
		binary.LittleEndian.PutUint32(stack[i:], 0x0800_0001+2*d.random.Uint32N(0x4000))
	}
	sp := uint32(stackTop - len(stack))

	var head format.CrashHeader
	head.SetMagic()
	var registers format.Registers
	registers.SetR0(stray)
	registers.SetR3(d.tick)
	registers.SetSP(sp)
	registers.SetMSP(sp)
	registers.SetLR(0x0800_0001 + 2*d.random.Uint32N(0x4000))
	registers.SetPC(0x0800_0000 + 2*d.random.Uint32N(0x4000))
	registers.SetXPSR(0x6100_0000)
	registers.SetExceptionPSR(0x6000_0003) // in the hard-fault handler
	var faults format.FaultRegisters
	faults.SetCFSR(preciseErr | bfarValid)
	faults.SetHFSR(forced)
	faults.SetBFAR(stray)

	crash := append(append([]byte(nil), head[:]...), registers[:]...)
	for _, region := range []format.MemoryRegion{
		{Start: sp, End: stackTop, Data: stack},
		{Start: 0xe000_ed28, End: 0xe000_ed28 + format.FaultRegistersSize, Data: faults[:]},
	} {
		var err error
		if crash, err = region.AppendTo(crash); err != nil {
			return nil, err
		}
	}

	dump := format.CoreDump{Header: new(format.CoreDumpHeader), Crash: crash}
	dump.Header.SetLenTotal(uint32(format.CoreDumpHeaderSize + len(crash)))
	dump.Header.SetVersion(1)
	dump.Header.SetApplicationID(info.ApplicationID)
	if err := errors.Join(
		dump.Header.SetGitHash(string(info.GitHash)),
		dump.Header.SetDeviceType(string(info.DeviceType)),
		dump.Header.SetDeviceSerial(string(info.DeviceSerial)),
		dump.Header.SetVersionString(string(info.GitVersion)),
	); err != nil {
		return nil, err
	}
	dump.Seal()
	return dump.AppendTo(nil)
}
