package firmware

// Forms of attributes.
//
// Source: DWARF 5, section 7.5.6; GNU's for split files in DWARF 4.
const (
	formAddr, formFlag, formSdata, formRefAddr                = 0x01, 0x0c, 0x0d, 0x10
	formRef1, formRef2, formRef4, formRef8, formRefUdata      = 0x11, 0x12, 0x13, 0x14, 0x15
	formIndirect, formSecOffset, formExprloc, formFlagPresent = 0x16, 0x17, 0x18, 0x19
	formStrx, formAddrx, formRefSup4, formStrpSup             = 0x1a, 0x1b, 0x1c, 0x1d
	formRefSig8, formImplicitConst, formLoclistx              = 0x20, 0x21, 0x22
	formRnglistx, formRefSup8                                 = 0x23, 0x24
	formStrx1, formStrx2, formStrx3, formStrx4                = 0x25, 0x26, 0x27, 0x28
	formAddrx1, formAddrx2, formAddrx3, formAddrx4            = 0x29, 0x2a, 0x2b, 0x2c
	formGNUAddr, formGNUStr, formGNURefAlt, formGNUStrpAlt    = 0x1f01, 0x1f02, 0x1f20, 0x1f21
)

// readForm reads the value of an attribute. What is no number and no text of its
// own is skipped.
func readForm(c *Cursor, form uint64, implicit int64, version uint16, depth int) constant {
	v := constant{form: form}
	switch form {
	case formAddr, formData4, formRef4, formStrp, formLineStrp, formSecOffset, formStrx4, formAddrx4,
		formRefSup4, formStrpSup, formGNURefAlt, formGNUStrpAlt, formRefAddr:
		v.value = uint64(c.U32())
	case formData1, formFlag, formRef1, formStrx1, formAddrx1:
		v.value = uint64(c.U8())
	case formData2, formRef2, formStrx2, formAddrx2:
		v.value = uint64(c.U16())
	case formStrx3, formAddrx3:
		v.value = uint64(c.U16()) | uint64(c.U8())<<16
	case formData8, formRef8, formRefSig8, formRefSup8:
		v.value = uint64(c.U32())
		v.value |= uint64(c.U32()) << 32
	case formSdata:
		v.value = uint64(c.Sleb())
	case formUdata, formRefUdata, formStrx, formAddrx, formLoclistx, formRnglistx, formGNUAddr, formGNUStr:
		v.value = c.Uleb()
	case formString:
		v.text = c.text()
	case formFlagPresent:
		v.value = 1
	case formImplicitConst:
		v.value = uint64(implicit)
	case formData16:
		c.Take(16)
	case formBlock, formExprloc:
		v.text = c.Take(int64(min(c.Uleb(), 1<<32)))
	case formBlock1:
		v.text = c.Take(int64(c.U8()))
	case formBlock2:
		c.Take(int64(c.U16()))
	case formBlock4:
		c.Take(int64(c.U32()))
	case formIndirect:
		if depth > 0 {
			c.Bad = true
			return v
		}
		return readForm(c, c.Uleb(), 0, version, depth+1)
	default:
		c.Bad = true
	}

	return v
}
